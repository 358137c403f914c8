"""The stimulation engine of a session, as its supervisor keeps it: started, watched, followed by another."""

from __future__ import annotations

from pathlib import Path

from rig.bus.message_types import EngineReply, Fault, Message
from rig.session.processes import ChildProcess


class SessionEngine:
    """The engine's process, the first one from the start on.

    `alive`: it was started, and its death has not been noticed. `stuck`: the subject waits for its answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 1
        self.alive, self.stuck = True, False
        self.process = self._start("stimulation", "engine")

    @property
    def state(self) -> str:
        """As in a `Status`: "alive", "stuck", "ended" or "dead"."""
        return "stuck" if self.stuck else self.process.state

    def follow(self, message: Message) -> None:
        """Takes note of what passes by in the subject's stream."""
        content = message.content
        if isinstance(content, EngineReply) and content.engine_ms > 0:  # the engine's own
            self.stuck = False
        elif isinstance(content, Fault) and (content.source, content.name) == (
            "stimulation",
            "silent",
        ):
            self.stuck = self.alive and not content.over  # the subject has waited for too long

    def has_died(self) -> bool:
        """Whether it is dead and that is news.

        One that ended by itself has heard the session's end (`stim.process`), which is on its way here, too.
        """
        if not self.alive or self.process.status in (None, 0):
            return False
        self.alive = self.stuck = False
        return True

    def start_another(self) -> str:
        """Starts the next engine after one that has died.

        Returns the name of its socket, which the subject has to know: every engine has its own, so that
        nothing that an earlier one left is taken for its answers.
        """
        self._number += 1
        socket = f"engine-{self._number}"
        self.process = self._start(f"stimulation-{self._number}", socket)
        self.alive = True
        return socket

    def _start(self, name: str, socket: str) -> ChildProcess:
        return ChildProcess(name, "stim.process", [str(self._folder), socket], self._folder)
