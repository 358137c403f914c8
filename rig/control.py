"""What the supervisor has asked of the subject, and what of it has still to be done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rig.bus.encoding import MessageError
from rig.bus.message_types import Command, Fault, Input
from rig.bus.transport import Transport
from rig.ignored_messages import IgnoredMessages


class Control:
    """Follows the supervisor's commands; the tick loop and its parts act on what it holds.

    Args:
        transport: brings the commands.
        report: is given a fault when a command was malformed.

    Attributes:
        ignored: counts malformed messages, of whoever sends the subject any.
        end_reason: why the session is to end, "" while it is not.
        last_trial: whether it is to end with the trial that runs.
        paused: whether the session is to stand still between two ticks.
        steps: how many ticks are to be run all the same.
        engine_alive: whether there is an engine that replies to ticks.
        engine_expected: whether another engine was started and has not said yet that it is ready.
        file_made: whether the recorder has made its file.
    """

    def __init__(self, transport: Transport, report: Callable[[Fault], None]) -> None:
        self._transport = transport
        self.ignored = IgnoredMessages(
            lambda sentence, number: report(Fault("subject", sentence, ignored=number))
        )
        self._strangers = 0
        self._inputs: list[Input] = []
        self._faults: list[Fault] = []
        self._recording_requests: deque[Command] = deque()
        self.end_reason = ""
        self.last_trial = False
        self.paused = False
        self.steps = 0
        self.engine_alive = True
        self.engine_expected = False
        self.file_made = False

    def finish(self, reason: str) -> None:
        """Ends the session with the present tick; the first reason counts."""
        self.end_reason = self.end_reason or reason

    def obey_waiting(self) -> None:
        """Obeys all commands that have come; a malformed one is counted and reported, as are strangers."""
        if (strangers := self._transport.strangers) > self._strangers:
            number, self._strangers = strangers - self._strangers, strangers
            self.ignored.add("a program that is not of the session had connected", number)
        while True:
            try:
                command = self._transport.command()
            except MessageError as problem:
                self.ignored.add(str(problem))
                continue
            if command is None:
                return
            self.obey(command)

    def obey(self, command: Command) -> None:
        """Does what a command asks for, or keeps it until it can be done; reports one that is none."""
        try:
            self._obey(command)
        except (KeyError, TypeError, ValueError) as problem:
            self.ignored.add(f"the command {command.verb[:40]!r} has other arguments: {problem}")

    def _obey(self, command: Command) -> None:
        match command.verb:
            case "stop":
                self.finish(str(command.args.get("reason", "stopped")))
            case "stop_after_trial":
                self.last_trial = True
            case "pause":
                self.paused, self.steps = True, 0
            case "resume":
                self.paused, self.steps = False, 0
            case "step":
                self.paused = True
                self.steps += int(command.args["ticks"])
            case "input":
                self._inputs.append(Input(**command.args))
            case "fault":
                self._faults.append(Fault(**command.args))
            case "engine_dead":
                # what it decided last still acts; then all is released
                self.engine_alive = self.engine_expected = False
            case "new_engine":
                self._transport.replace_engine(str(command.args["socket"]))
                self.engine_expected = True
            case "record" | "end_recording":
                self._recording_requests.append(command)
            case "file_made":
                self.file_made = True
            case "recorder_dead":
                self._transport.disconnect_recorder(keep_queue=False)
            case verb:
                self.ignored.add(f"{verb[:40]!r} is not a command")

    @property
    def owes_inputs(self) -> bool:
        """Whether it was stopped while something from outside that was accepted still waits for a tick."""
        return self.end_reason == "stopped" and bool(self._inputs)

    def take_inputs(self) -> tuple[Input, ...]:
        """What has come from outside since this was last called: the inputs of the next tick."""
        inputs, self._inputs = tuple(self._inputs), []
        return inputs

    def take_faults(self) -> tuple[Fault, ...]:
        """Faults that the supervisor has announced and that the recording lacks."""
        faults, self._faults = tuple(self._faults), []
        return faults

    def take_recording_request(self) -> Command | None:
        """The next request to begin or to end a recording, each once."""
        return self._recording_requests.popleft() if self._recording_requests else None
