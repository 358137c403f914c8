"""What the tick loop needs of a session's other parts: to send them messages, and to hear what they answer.

A session of processes uses `rig.bus.socket_transport.SocketTransport`; a re-run in one process uses
`rerun.in_process_transport.InProcessTransport`, which neither encodes nor decodes anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rig.bus.message_types import Array, Command, Content, Message


class Transport(Protocol):
    """The subject's side of a session's stream: to engine, hub and recorder, from engine and supervisor."""

    @property
    def recording(self) -> bool:
        """Whether the stream goes to a recorder at present."""
        ...

    @property
    def strangers(self) -> int:
        """How many have connected as one of the session's processes and were none."""
        ...

    def message(self, content: Content, tick: int, arrays: Mapping[str, Array]) -> Message:
        """A message of this session, numbered within its topic; it is sent by the methods below.

        Args:
            content: what it says.
            tick: the tick that it belongs to; -1 before the first.
            arrays: by name, dtypes as the bus carries them.
        """
        ...

    def to_engine(self, message: Message) -> None:
        """Sends to the stimulation engine; never waits."""
        ...

    def to_hub(self, message: Message) -> None:
        """Sends to the displays; never waits."""
        ...

    def to_recorder(self, message: Message) -> bool:
        """Sends to the recorder, if there is one. False: its queue is full and nothing was sent."""
        ...

    def listen(self, timeout_s: float) -> tuple[Message | None, Command | None]:
        """The engine's next reply or the supervisor's next command, whichever comes first.

        Raises `MessageError` for a malformed message.
        """
        ...

    def command(self) -> Command | None:
        """The supervisor's next command if one is waiting. Raises `MessageError` if it is malformed."""
        ...

    def wait_for_engine(self, timeout_s: float) -> bool:
        """Whether an engine has said within the time that it is ready."""
        ...

    def replace_engine(self, socket: str) -> None:
        """Expects another engine at the named socket; nothing of the one before is heard any more."""
        ...

    def send_preamble(self, numbers_used: Mapping[str, int]) -> None:
        """Sends description and present episode to an engine that comes while the session runs.

        Args:
            numbers_used: highest number so far of each kind and name of events ("behaviour run").
        """
        ...

    def connect_recorder(self, socket: str) -> None:
        """Opens a queue for a recorder at the named socket; `begin_recording` follows."""
        ...

    def begin_recording(self, wait_s: float) -> bool:
        """Sends what a recording begins with once the recorder has connected; False if it has not yet."""
        ...

    def disconnect_recorder(self, keep_queue: bool = True) -> None:
        """Closes the recorder's queue; what is in it still goes out, unless the recorder is dead."""
        ...
