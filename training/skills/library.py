"""The skills that experts are made of, each found by a search and kept as a small `.npz` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.errors import SubjectError
from training import migration
from training.skills import steering, walking_backward
from training.skills.locomotion import Locomotion
from training.skills.spinning import SPEED

SKILLS = (
    "gait", "steering", "spinning", "walking_backward", "righting", "climbing", "tapping", "stepping",
    "leaping",
)  # fmt: skip
"""Their names, in the order in which they are searched: each builds on those before it."""


@dataclass(frozen=True)
class Skills:
    """The folder of skills; each is read when an expert asks for it.

    Files: `<name>.npz` for the names in `SKILLS`; `gait` is what the search for it found, `steering` the same
    gait with what turns it, `stepping` the like of a second gait.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """The file of a skill.

        Raises:
            SubjectError: it is not there.
        """
        path = migration.skill_file(self.folder, name)
        if not path.exists():
            raise SubjectError(f"{path} is missing: train the stage '{name}' first")
        return path

    def locomotion(self) -> Locomotion:
        """Running and turning on command."""
        return Locomotion(steering.load(self.path("steering")))

    def stepping(self) -> Locomotion:
        """Running and turning on command, upright: slower, and fit to leap from."""
        return Locomotion(steering.load(self.path("stepping")))

    def walking_backward(self) -> Locomotion:
        """Walking backwards, at the commands `SPEED` and `COMMAND` of `walking_backward`."""
        return Locomotion(steering.load(self.path("walking_backward")), walking_backward.SPEED)

    def spinning(self) -> Locomotion:
        """Turning on the spot, on command of a yaw rate up to `spinning.YAW_RAD_S` at `spinning.SPEED`."""
        return Locomotion(steering.load(self.path("spinning")), SPEED)
