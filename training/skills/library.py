"""The folder of skills that experts are made of, one `.npz` file each."""

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
    "running_leap", "gap_running",
)  # fmt: skip
"""Their names, in the order in which they are searched: each builds on those before it."""


@dataclass(frozen=True)
class Skills:
    """A folder of skills; each file is read when an expert asks for it.

    Files: `<name>.npz` for the names in `SKILLS`. `gait` is the gait alone, `steering` the same gait with its
    control law of turning, `stepping` a second gait with its own.

    Attributes:
        folder: of the files.
    """

    folder: Path

    def path(self, name: str) -> Path:
        """The file of a skill.

        Raises:
            SubjectError: it does not exist.
        """
        path = migration.skill_file(self.folder, name)
        if not path.exists():
            raise SubjectError(f"{path} is missing: train the stage '{name}' first")
        return path

    def locomotion(self) -> Locomotion:
        """Running and turning on command (`steering`)."""
        return Locomotion(steering.load(self.path("steering")))

    def stepping(self) -> Locomotion:
        """Running and turning on command in the upright gait (`stepping`), slower, from which it can leap."""
        return Locomotion(steering.load(self.path("stepping")))

    def walking_backward(self) -> Locomotion:
        """Walking backwards, at the commands `SPEED` and `COMMAND` of `walking_backward`."""
        return Locomotion(steering.load(self.path("walking_backward")), walking_backward.SPEED)

    def spinning(self) -> Locomotion:
        """Turning on the spot, at the commands `SPEED` and up to `YAW_RAD_S` of `spinning`."""
        return Locomotion(steering.load(self.path("spinning")), SPEED)
