"""What a session can be set up from, and what starts it: the window's side of it, without protocols' insides.

`cli.window_sessions` has the other side. The window knows protocols by what is said of them here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from gui.editor.protocol_language import ProtocolChoice, ProtocolLanguage

PaceName = Literal["realtime", "max"]


@dataclass(frozen=True)
class SubjectChoice:
    """A subject: its name, a line of its card, and the card's picture where it has one."""

    name: str
    line: str
    picture: Path | None = None


@dataclass(frozen=True)
class SessionRequest:
    """A session as it is to be.

    Attributes:
        protocol: its file; None: not chosen yet.
        subject, task: instead of the protocol's; "": as it says.
        parameters: other values of its parameters, by name.
        seed: of everything random; None: the protocol's, or drawn.
        pace: in real time or as fast as the machine can.
        duration_s, trials: when it ends; None: as the protocol says.
        animal: what this animal is called in the recording; "": as the subject.
        notes: of the experimenter, for the recording.
        record_in: the folder of a recording from the first tick on; None: none is made yet.
        clips_in: the folder of clips that its rules save; None: the usual one.
    """

    protocol: Path | None = None
    subject: str = ""
    task: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    pace: PaceName = "realtime"
    duration_s: float | None = None
    trials: int | None = None
    animal: str = ""
    notes: str = ""
    record_in: Path | None = None
    clips_in: Path | None = None


@dataclass(frozen=True)
class Checked:
    """What is said of a request: what will happen, in words, or what is wrong with it.

    `subject`, `task`, `parameters`, `seed`, `duration_s` and `trials` are the protocol's own. `unread` names
    the files that have to be read before it is known whether the session can start.
    """

    words: str = ""
    mistakes: str = ""
    name: str = ""
    subject: str = ""
    task: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    duration_s: float = 0.0
    trials: int = 0
    unread: tuple[str, ...] = ()


class SessionStarter(Protocol):
    """Knows subjects, tasks and protocols, and starts sessions in processes of their own."""

    @property
    def first(self) -> SessionRequest:
        """What the window was opened with."""

    @property
    def language(self) -> ProtocolLanguage:
        """What the editor asks about the text of a protocol."""

    def subjects(self) -> tuple[SubjectChoice, ...]:
        """Those that are installed."""

    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks."""

    def protocols(self) -> tuple[ProtocolChoice, ...]:
        """Those that come with the rig, and those of the folder `protocols` here."""

    def check(self, request: SessionRequest) -> Checked:
        """What a request would do, without reading recordings. Raises nothing."""

    def check_files(self, request: SessionRequest) -> str:
        """Reads the files that `check` left unread, and says what is wrong with them; "": nothing.

        Takes long, so it is called in a thread of its own.
        """

    def start(self, request: SessionRequest) -> str:
        """Starts a session; its name. Raises `UserError`, `RunError`."""
