"""Where the sockets of a session lie: Unix sockets in one folder, by their names."""

from __future__ import annotations

from pathlib import Path


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

        "stream" and "command" are for clients; "recorder", "engine", "hub" and "control" are between the
        session's own processes.
        """
        return f"ipc://{self.path / socket}"
