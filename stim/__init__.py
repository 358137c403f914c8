"""Closing the loop: what the animal does, and what is then done to its units.

A tick goes through as body state → `detectors` → `trigger_evaluator` (which `triggers` fire) → `rules` of the
`protocol` → `stimuli`. `engine` puts them together, `process` serves the engine over the bus.
Nothing here knows the simulator, the window or the file format.
"""
