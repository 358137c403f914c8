"""Protocol files: read into a tree, checked, and turned into what the engine runs; explained in words."""
