"""Commands of a session's clients: carried out, or refused with a reason; none reaches the subject raw."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rig.bus.client import HUB_LAG_S
from rig.bus.external_inputs import ALWAYS, VERBS, ExternalInputs
from rig.bus.hub import Hub, Request
from rig.bus.message_types import Command, Description, Message, Reply
from rig.bus.stimulus_request import NotAcceptedError, short
from rig.session.clips import SessionClips
from rig.session.engine import SessionEngine
from rig.session.recorder import SessionRecorder
from rig.session.subject_commands import SubjectCommands
from rig.session.summary import Summary

MOST_STEPS = 500
"""Ticks that one command may ask for."""
NEED_THE_ANIMAL = {*VERBS, "restart_engine", "start_recording", "stop_recording", "save_clip"}
"""Verbs that need an animal that runs. They wait for it: clients hear of a tick from the subject itself, and
may hear of it before the session does."""
MOST_EARLY = 64
"""So many requests wait at most; with one more the oldest is answered."""


class ClientCommands:
    """Carries out what clients ask for, while the session runs.

    `armed`: whether the protocol's rules fire, from the next tick on at the latest.

    Args:
        hub: brings the requests and takes the answers.
        subject: is told.
        engine: is replaced, or ended.
        recorder: begins and ends recordings.
        clips: saves them.
        summary: says how far the session is.
        allow_outside: whether stimuli from outside are taken.
        stop: ends the session.
        check_processes: takes note of a process that has ended, at once.
    """

    def __init__(
        self,
        hub: Hub,
        subject: SubjectCommands,
        engine: SessionEngine,
        recorder: SessionRecorder,
        clips: SessionClips,
        summary: Summary,
        allow_outside: bool,
        stop: Callable[[], None],
        check_processes: Callable[[], None],
    ) -> None:
        self._hub = hub
        self._subject = subject
        self._engine = engine
        self._recorder = recorder
        self._clips = clips
        self._summary = summary
        self._allow_outside = allow_outside
        self._stop = stop
        self._check_processes = check_processes
        self._external_inputs: ExternalInputs | None = None
        """Once the subject has said what layers it has."""
        self._early: deque[tuple[float, Request]] = deque()
        """Until when, and what waits for the animal to run, and what its clients asked for after it."""
        self.armed = True

    def follow(self, message: Message) -> None:
        """Takes note of what passes by in the stream."""
        if self._external_inputs is not None:
            self._external_inputs.follow(message)
        content = message.content
        if isinstance(content, Description):
            layers = {layer.name: layer.n_units for layer in content.layers}
            self._external_inputs = ExternalInputs(layers)

    def handle(self, request: Request) -> None:
        """Carries out a client's command, now or once the animal runs, or refuses it and changes nothing."""
        # answers come in the order of a client's questions
        waits = any(each.client == request.client for _, each in self._early)
        if waits or self._is_early(request):
            self._early.append((time.monotonic() + HUB_LAG_S, request))
            if len(self._early) > MOST_EARLY:
                self._answer(self._early.popleft()[1])
        else:
            self._answer(request)

    def handle_early(self) -> None:
        """Carries out what came too early and has been waited for."""
        while self._early:
            until_s, request = self._early[0]
            if time.monotonic() < until_s and self._is_early(request):
                return
            self._early.popleft()
            self._answer(request)

    def refuse_early(self) -> None:
        """Refuses what still waits: the session ends."""
        while self._early:
            self._hub.refuse(self._early.popleft()[1], "The session is ending.")

    def _is_early(self, request: Request) -> bool:
        verb = request.command.verb
        if not request.trusted or verb not in NEED_THE_ANIMAL:
            return False
        if verb == "save_clip":
            return not self._clips.begun
        return self._external_inputs is None or not self._summary.ticks

    def _answer(self, request: Request) -> None:
        if not request.trusted:
            self._hub.refuse(
                request,
                "Over TCP without keys a session can be listened to and not commanded; see --keys.",
            )
            return
        try:
            self._carry_out(request)
        except OSError as problem:  # a process that cannot be started
            self._hub.refuse(request, f"It cannot be done: {problem.strerror}.")

    def _carry_out(self, request: Request) -> None:
        match request.command:
            case Command("stop", args) if not args:
                self._stop()
                self._done(request)
            case Command("stop", {"after": "trial", **rest}) if not rest:
                self._subject.tell("stop_after_trial")
                self._done(request)
            case Command("pause" | "resume" | "step") if self._subject.is_busy:
                self._hub.refuse(request, "The animal has too many commands to obey; ask again.")
            case Command("pause" | "resume" as verb, args) if not args:
                self._summary.hold(verb == "pause")
                self._subject.tell(verb)
                self._done(request)
            case Command("step", args) if args.keys() <= {"ticks"}:
                self._step(request, args.get("ticks", 1))
            case Command("start_recording", {"file": str(file), **rest}) if not rest and file:
                self._recorder.start_on_request(request, file)
            case Command("stop_recording", args) if not args:
                self._recorder.stop_on_request(request)
            case Command("save_clip", args):
                self._clips.save_on_request(request, args)
            case Command("restart_engine", args) if not args:
                self._restart_engine(request)
            case Command("drop_engine", args) if not args:
                if self._engine.stuck:
                    self._drop_engine()
                    self._done(request)
                else:
                    self._hub.refuse(request, "No stimulation engine is stuck.")
            case Command(verb, _) if verb in VERBS:
                self._accept_input(request)
            case Command(verb, _):
                self._hub.refuse(
                    request,
                    f"{short(verb)} with these arguments is not a command; see docs/bus.md.",
                )

    def _step(self, request: Request, ticks: object) -> None:
        """Pauses, and runs so many ticks."""
        if isinstance(ticks, bool) or not isinstance(ticks, int) or not 1 <= ticks <= MOST_STEPS:
            self._hub.refuse(
                request, f"step runs 1 to {MOST_STEPS} ticks at a time, not {short(ticks)}."
            )
            return
        self._summary.hold(True)
        self._subject.tell("step", ticks=ticks)
        self._hub.reply(request, Reply(True, fields={"after_tick": self._summary.ticks - 1}))

    def _done(self, request: Request) -> None:
        self._hub.reply(request, Reply(True))

    def _not_yet(self, request: Request) -> None:
        """Not counted as refused: nothing is wrong with it."""
        self._hub.reply(request, Reply(False, "The animal is not running yet; ask again."))

    def _restart_engine(self, request: Request) -> None:
        if not self._summary.ticks:
            self._not_yet(request)
        elif self._engine.alive and not self._engine.stuck:
            self._hub.refuse(request, "The stimulation engine runs and answers.")
        else:
            self._drop_engine()
            self._subject.tell("new_engine", socket=self._engine.start_another())
            self._done(request)

    def _drop_engine(self) -> None:
        """Ends an engine that is stuck; the subject then releases every stimulus and goes on."""
        self._engine.process.kill()
        self._check_processes()

    def _accept_input(self, request: Request) -> None:
        """Checks what a client asks for and passes it to the subject, or refuses it."""
        verb, args = request.command.verb, request.command.args
        if verb not in ALWAYS and not self._allow_outside:
            self._hub.refuse(request, "This session does not take stimuli from outside.")
        elif self._external_inputs is None or not self._summary.ticks:
            self._not_yet(request)
        elif verb in ("stimulate", "arm", "disarm") and not self._engine.alive:
            self._hub.refuse(
                request, "There is no stimulation engine; take a new one (restart_engine)."
            )
        else:
            try:
                given = self._external_inputs.accept(verb, args)
            except NotAcceptedError as problem:
                self._hub.refuse(request, f"{verb} was refused: {problem}.")
                return
            self._subject.tell("input", kind=given.kind, name=given.name, args=given.args)
            if verb in ("arm", "disarm"):
                self.armed = verb == "arm"
            fields = {"after_tick": self._summary.ticks - 1}
            if verb == "note":
                fields["tick"] = given.args["tick"]
            self._hub.reply(request, Reply(True, fields=fields))
