"""The animal: its network, on disk and in use, and the point where stimuli act on it.

    subject = agent.load("runner")
    subject.reset()
    step = subject.step(observation)

The core (this folder) imports nothing else of this project; `agent.training` makes subjects.
"""

from agent.errors import SubjectError
from agent.interventions import Intervention
from agent.network import Network, NetworkConfig
from agent.subject import Layer, Step, Subject, load

__all__ = [
    "Intervention",
    "Layer",
    "Network",
    "NetworkConfig",
    "Step",
    "Subject",
    "SubjectError",
    "load",
]
