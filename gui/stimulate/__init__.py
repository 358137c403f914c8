"""Stimuli by hand."""
