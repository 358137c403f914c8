"""The sockets of a session: Unix sockets in one folder, by their names, and how much they hold."""

from __future__ import annotations

from pathlib import Path

CLIENT_MESSAGES = 1500
"""What a client holds that it has not read yet."""
STREAM_MESSAGES = 3000
"""What is held for a client that has not taken it yet: half a minute of ticks and answers."""
HISTORY_MESSAGES = 10_000
"""A command's answer may bring the whole history at once: the sockets have room for it."""

HUB_TOPIC = b"\x00hub"
"""No message has it. The hub subscribes to it last: that tells the subject that it receives everything."""
NOT_STREAMED = ("assets", "end")
"""Topics that the subject sends to the hub alone: assets are for who asks, and the end is for the supervisor
to announce, when all has been closed."""


class SocketFolder:
    """The folder of a session's sockets; its name is the session's.

    Nothing is made or removed here: what else the folder holds, and when it comes and goes, is the
    session's affair (`rig.session.directory`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def session(self) -> str:
        """The session's name."""
        return self.path.name

    def address(self, socket: str) -> str:
        """The ipc address of one of the session's sockets.

        "stream", "status" and "command" are for clients; "recorder", "engine", "hub" and "control" are
        between the session's own processes.
        """
        return f"ipc://{self.path / socket}"
