"""Detectors: from the body state of each tick to behaviours with onset and offset."""
