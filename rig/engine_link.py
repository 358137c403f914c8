"""The subject's link to the stimulation engine: every tick is replied to, whatever becomes of the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from agent.interventions import Intervention
from rig.bus.encoding import MessageError
from rig.bus.message_types import EngineReply, Fault, Message
from rig.bus.transport import Transport
from rig.control import Control
from rig.engine_replies import EngineReplies

SILENT_S = 1.0
"""An engine that owes its reply for so long is stuck: a fault that is shown."""

PREPARES_S = 5.0
"""Its first reply may take so long: it reads the protocol for the session's subject before."""

CHECK_S = 0.1


class EngineLink:
    """Sends ticks to the engine, takes its replies, and takes over from an engine that has died.

    Args:
        transport: carries the messages.
        control: is obeyed while a reply is waited for; it knows whether an engine is alive.
        layer_sizes: units of each layer of the subject, for checking interventions.
        report: is given every fault.
    """

    def __init__(
        self,
        transport: Transport,
        control: Control,
        layer_sizes: Mapping[str, int],
        report: Callable[[Fault], None],
    ) -> None:
        self._transport = transport
        self._control = control
        self._replies = EngineReplies(layer_sizes)
        self._report = report
        self._prepares = True

    def send(self, message: Message) -> None:
        """Sends to the engine, if one is alive."""
        if self._control.engine_alive:
            self._transport.to_engine(message)

    def reply_to(self, tick: int) -> tuple[Message, tuple[Intervention, ...]]:
        """The reply to a tick, and its interventions for the next one.

        Returns when the engine has replied. Where there is no engine, the reply ends everything that goes
        on. Interventions that are not finite or not possible are refused, all of them, with a fault.
        """
        message = self._wait_for_reply(tick)
        reply = message.content
        assert isinstance(reply, EngineReply)
        interventions: tuple[Intervention, ...] = ()
        try:
            interventions = self._replies.interventions(message)
        except (ValueError, KeyError) as problem:
            self._report(Fault("subject", f"Interventions were refused: {problem}."))
        registered = self._replies.register(reply)
        return self._transport.message(registered, tick, message.arrays), interventions

    def welcome(self, tick: int) -> None:
        """Between two ticks: an engine that was expected and is ready is asked from this tick on."""
        if not self._control.engine_expected or not self._transport.wait_for_engine(0.0):
            return
        self._control.engine_expected = False
        self._transport.send_preamble(self._replies.numbers_used)
        self._control.engine_alive = self._prepares = True
        self._report(
            Fault(
                "stimulation",
                f"A new stimulation engine has taken over from tick {tick} on.",
                name="dead",
                over=True,
            )
        )

    def _wait_for_reply(self, tick: int) -> Message:
        since_s, overdue = time.perf_counter(), False
        patience_s = PREPARES_S if self._prepares else SILENT_S
        control = self._control
        while control.engine_alive and not (overdue and control.end_reason):
            try:
                reply, command = self._transport.listen(CHECK_S)
            except MessageError as problem:
                control.ignored.add(str(problem))
                continue
            if command is not None:
                control.obey(command)
            if reply is not None and reply.tick == tick:
                self._prepares = False
                if overdue:
                    self._report(_not_silent("It answers again."))
                return reply
            if not overdue and time.perf_counter() - since_s > patience_s:
                overdue = True
                self._report(
                    Fault(
                        "stimulation",
                        f"The stimulation engine has not answered tick {tick} for "
                        f"{patience_s:g} s; the animal waits for it. Take another engine to go on.",
                        name="silent",
                    )
                )
        if overdue:
            self._report(_not_silent("It was given up."))
        return self._replies.release_all(tick)


def _not_silent(sentence: str) -> Fault:
    return Fault("stimulation", sentence, name="silent", over=True)
