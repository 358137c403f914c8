"""Work on many processors: commands side by side on this machine, or as tasks on a Ray cluster."""
