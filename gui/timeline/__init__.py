"""Raster, traces and ethogram on one time axis."""
