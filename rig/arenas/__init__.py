"""Arenas, tasks and the animal's senses. Imports nothing else of this project.

Only `rig.arenas.names` can be imported where there is no OpenGL: dm_control asks for it at once.
"""
