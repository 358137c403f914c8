"""What a program outside a session imports: `attach` finds a running session, `BusClient` talks to it."""

from __future__ import annotations

from rig.bus.client import BusClient
from rig.errors import RunError
from rig.session.directory import find_session, running_sessions

__all__ = ["BusClient", "attach"]


def attach(session: str | None = None) -> BusClient:
    """A client of a running session on this machine, the newest one unless named.

    Raises `RunError` when there is none.
    """
    if session is None:
        running = running_sessions()
        if not running:
            raise RunError("No session is running; start one with `rodent-rig run` or the window.")
        session = running[0].session
    return BusClient.of(find_session(session))
