"""Work on many processors.

processes    calls of a function, on this machine
jobs, sweep  commands, each to its end well or badly: on this machine, or as Ray tasks
ray_cluster  a Ray cluster, connected
progress     bars with the time left
"""
