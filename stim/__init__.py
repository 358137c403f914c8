"""Closing the loop: what the animal does, and what is then done to its units.

One tick goes through here as body state → `detectors` (with the definitions in `behaviours`) → `watch`,
which tells what `triggers` happen → `rules` of the `protocol` → `stimuli`, put together by `engine` and
served over the bus by `process`. Nothing here knows the simulator, the window or the file format.
"""
