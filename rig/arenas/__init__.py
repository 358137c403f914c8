"""Arenas, tasks and the animal's senses. Imports nothing else of this project."""

from rig.arenas.camera import CameraUnavailableError, EgocentricCamera
from rig.arenas.senses import N_PROPRIOCEPTION, PROPRIOCEPTION, Senses, flatten
from rig.arenas.tasks import CONTROL_TIMESTEP_S, PHYSICS_TIMESTEP_S, TASKS, make

__all__ = [
    "CONTROL_TIMESTEP_S",
    "N_PROPRIOCEPTION",
    "PHYSICS_TIMESTEP_S",
    "PROPRIOCEPTION",
    "TASKS",
    "CameraUnavailableError",
    "EgocentricCamera",
    "Senses",
    "flatten",
    "make",
]
