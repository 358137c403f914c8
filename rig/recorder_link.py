"""The subject's link to the recorder, which gets every tick, however long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from rig.bus.message_types import End, Fault, Message
from rig.bus.transport import Transport
from rig.control import Control

STALL_S = 0.5
"""A recorder's queue that stays full this long is a stalled recorder: a fault that is shown."""

RETRY_S = 0.005


class RecorderLink:
    """Sends the stream to the recorder and switches recordings.

    Args:
        transport: sends the messages.
        control: is obeyed while the recorder is waited for.
        clock_stopped: is called when the animal's clock has stood still for the recorder's sake.
    """

    def __init__(
        self, transport: Transport, control: Control, clock_stopped: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._control = control
        self._clock_stopped = clock_stopped
        self._owed: list[Message] = []

    def send(self, message: Message) -> None:
        """Sends a message, waiting while the recorder's queue is full; a long wait is a fault, shown.

        It is recorded after the message that waited: no number of a fault is missing in the file.
        """
        self._deliver(message)
        while self._owed:
            self._deliver(self._owed.pop(0))

    def _deliver(self, message: Message) -> None:
        since_s = time.perf_counter()
        stalled = False
        while not self._transport.to_recorder(message):
            if not stalled and time.perf_counter() - since_s > STALL_S:
                stalled = True
                self._tell(
                    "The recorder has stalled; the session is paused until it goes on.", message
                )
            time.sleep(RETRY_S)
            self._control.obey_waiting()
            if stalled and self._control.end_reason == "stopped":
                self._transport.disconnect_recorder(keep_queue=True)
        if stalled:
            self._tell("It goes on.", message, over=True)
            self._clock_stopped()

    def _tell(self, sentence: str, message: Message, over: bool = False) -> None:
        fault = Fault("recorder", sentence, name="stalled", over=over)
        told = self._transport.message(fault, message.tick, {})
        self._transport.to_hub(told)
        self._owed.append(told)

    def switch(self, tick: int, overruns: int) -> None:
        """Begins or ends a recording as was asked: between two ticks, so that each is whole in its file.

        Args:
            tick: the next tick.
            overruns: of the session so far, for the file that ends.
        """
        while (request := self._control.take_recording_request()) is not None:
            if request.verb == "record":
                self.begin(str(request.args["socket"]))
            else:
                end = End("recording stopped", tick, overruns)
                self.send(self._transport.message(end, tick, {}))
                self._transport.disconnect_recorder()

    def begin(self, socket: str) -> None:
        """Waits for the recorder to connect, so that it has every tick from here on."""
        self._transport.connect_recorder(socket)
        while self._transport.recording and not self._transport.begin_recording(wait_s=0.02):
            self._control.obey_waiting()
            if self._control.end_reason:
                self._transport.disconnect_recorder(keep_queue=False)
        self._clock_stopped()

    def wait_for_file(self) -> None:
        """Before the first tick: waits until there is a file, so that no tick has to wait for one."""
        control = self._control
        while self._transport.recording and not control.file_made and not control.end_reason:
            time.sleep(RETRY_S)
            control.obey_waiting()
        self._clock_stopped()
