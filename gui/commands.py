"""What the user can do in the window: an entry for each, with its keys, its menu and when it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from PyQt6.QtGui import QKeySequence

PHASES = frozenset({"empty", "starting", "live", "ending", "ended", "replay"})
"""As `gui.window_state.WindowState.phase`."""
ALWAYS = PHASES
LIVE = frozenset({"live"})
REPLAY = frozenset({"replay"})
SHOWN = frozenset({"live", "ending", "ended", "replay"})
"""There is something to look at."""
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Keys that a protocol may listen to: in a live session those that it uses are its own."""


@dataclass(frozen=True)
class Command:
    """Something that the user can do.

    Attributes:
        words: what the menu and the sheet of keys call it.
        does: is called.
        keys: as `QKeySequence` reads them. A plain letter or digit is the protocol's where the running one
            listens to it, so that a command which has one has another key, with Ctrl, as well.
        group: the heading of the sheet of keys under which it stands.
        phases: of the window in which it can be done.
        menu: "Session", "View", "Replay", "Help", or "" for none.
        divided: whether a line stands above it in its menu.
        repeats: whether it is done again and again while a key is held.
    """

    words: str
    does: Callable[[], object]
    keys: tuple[str, ...] = ()
    group: str = "Window"
    phases: frozenset[str] = ALWAYS
    menu: str = ""
    divided: bool = False
    repeats: bool = False

    def keys_besides(self, taken: Collection[str]) -> tuple[str, ...]:
        """Those of its keys that a protocol does not take, whose own keys are `taken`."""
        lower = {each.lower() for each in taken}
        return tuple(key for key in self.keys if key.lower() not in lower)


class CommandTable:
    """The commands of a window, each key once in each phase."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def add(self, *commands: Command) -> None:
        """Adds commands.

        Raises ValueError where a key has another command already that can be done at the same time, or a
        letter stands alone.
        """
        for command in commands:
            for key in command.keys:
                for phase in command.phases:
                    other = self.of(key, phase)
                    if other is not None:
                        raise ValueError(f"{key} is both {other.words!r} and {command.words!r}.")
            if command.keys and "live" in command.phases and not command.keys_besides(LETTERS):
                raise ValueError(f"{command.words!r} has no key that no protocol can take.")
            self.commands.append(command)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that do something, each once."""
        return tuple(dict.fromkeys(key for each in self.commands for key in each.keys))

    def of(self, key: str, phase: str) -> Command | None:
        """What a key does in a phase."""
        return next(
            (each for each in self.commands if key in each.keys and phase in each.phases), None
        )


def shown_key(key: str) -> str:
    """A key as people read it: arrows as arrows, the rest as it stands on a keyboard.

    >>> shown_key("Ctrl+Left"), shown_key("Space")
    ('Ctrl ←', 'space')
    """
    found = QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    plain = {
        **{"Left": "←", "Right": "→", "Up": "↑", "Down": "↓"},
        **{"Space": "space", "Esc": "escape", "Return": "enter"},
    }
    parts = [plain.get(part, part) for part in found.split("+")] if found != "+" else ["+"]
    return " ".join(parts)
