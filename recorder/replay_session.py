"""A recording offered on the bus as if it were a running session, for any display and outside client.

The messages are those of the recording, at their pace, with two differences: they carry this replay's name
and its own sequence numbers, which go up also where ticks go back. Whatever would change an animal is
refused, because there is none.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from recorder.replay import ReplaySource
from rig.bus.encoding import encode
from rig.bus.history import HISTORY_TICKS, Frames
from rig.bus.hub import Hub, Request
from rig.bus.message_types import Command, End, EngineReply, Episode, Message, Reply, Status, Tick
from rig.bus.open_intervals import OpenIntervals
from rig.bus.stimulus_request import short
from rig.errors import ending_with
from rig.playback import MAX_SPEED, MIN_SPEED, Playback, Stretch
from rig.session.directory import RunningSession, SessionDirectory

STATUS_EVERY_S = 0.2
_WAIT_S = 0.004
_FIRST_NUMBER = 2 * HISTORY_TICKS
"""Sequence numbers begin here, so that a history before the first tick that was sent has numbers too."""

_LIVE_ONLY = {
    "key": "a key is for the protocol of a running animal",
    "note": "a note is for the recording of a running animal",
    "arm": "nothing is delivered in it",
    "disarm": "nothing is delivered in it",
    "stimulate": "units of a recorded animal cannot be stimulated",
    "release": "units of a recorded animal cannot be stimulated",
    "release_all": "units of a recorded animal cannot be stimulated",
    "start_recording": "it is recorded already",
    "stop_recording": "nothing is being recorded",
    "save_clip": "it is recorded already",
    "restart_engine": "there is no stimulation engine",
    "drop_engine": "there is no stimulation engine",
}


class ReplaySession:
    """Plays a recording on a bus of its own. `run()` returns when it is over.

    It ends with the recording, unless `hold` keeps it at the last tick; or when it is stopped.

    Args:
        source: the recording.
        directory: of the replay's own session, for its sockets.
        speed: times real time.
        paused: whether it waits for the command `resume`.
        hold: whether it stays at the last tick until it is stopped.
        listen: "tcp://HOST:PORT" to serve it there too, or "".
        keys: folder of CURVE keys for `listen`.

    Raises:
        UserError: as `rig.bus.hub.Hub` does.
    """

    def __init__(
        self,
        source: ReplaySource,
        directory: SessionDirectory,
        *,
        speed: float = 1.0,
        paused: bool = False,
        hold: bool = False,
        listen: str = "",
        keys: Path | None = None,
    ) -> None:
        self._source = source
        self._directory = directory
        self._playback = Playback(source.first_tick, source.last_tick, speed)
        self._begin_paused = paused
        self._hold = hold
        self._next = Counter[str]()
        self._trial = -1
        self._since = source.first_tick  # the first tick since the last jump
        self._stopped = False
        self._over = False
        self._overruns = 0
        self._open_intervals = OpenIntervals()
        try:
            self._hub = Hub(directory, listen, keys, history=self)
        except BaseException:
            directory.remove()
            raise

    def stop(self) -> None:
        """Asks it to end; for signal handlers too."""
        self._stopped = True

    def run(self) -> None:
        """The replay from start to end."""
        recording = self._source.recording
        with ending_with(self._close):
            self._send_stretch(Stretch(self._playback.first, self._playback.first, jumped=True))
            self._directory.announce(
                RunningSession(
                    self._directory.session,
                    os.getpid(),
                    time.time(),
                    f"replay of {recording.name}",
                    recording.description.subject,
                    recording.description.task,
                )
            )
            if not self._begin_paused:
                self._playback.play()
            self._play()

    def _close(self) -> None:
        with ending_with(self._directory.remove), ending_with(self._hub.close):
            self._publish_status("ended")
            self._hub.publish(self._end(), self._playback.position + 1)

    # --- what the hub asks for ------------------------------------------------------------------------

    def join(self) -> list[Frames]:
        """The recording's last ten seconds before the position, whether or not they were played."""
        source, position = self._source, self._playback.position
        begin = max(source.first_tick, position - HISTORY_TICKS + 1)
        messages = source.messages(begin, position)
        if not messages or not isinstance(messages[0].content, Episode):
            messages = [*self._episode_of(begin), *messages]
        ongoing = Message(EngineReply(source.open_events(begin)), tick=begin - 1)
        at = sum(isinstance(message.content, Episode) for message in messages[:1])
        messages.insert(at, ongoing)
        preamble = [self._named(source.description), self._named(source.assets)]
        return [encode(message) for message in (*preamble, *self._numbered_back(messages))]

    def between(self, first: int, last: int) -> list[Frames]:
        """Ticks that were sent since the last jump, as they were numbered."""
        position = self._playback.position
        begin = max(first, self._since, position - HISTORY_TICKS + 1)
        messages = self._numbered_back(self._source.messages(begin, position))
        return [encode(message) for message in messages if message.tick <= last]

    def _numbered_back(self, messages: list[Message]) -> list[Message]:
        """Numbers the newest of each topic as the one that was sent last, and the others before it."""
        numbers = {
            topic: self._number(topic) - count
            for topic, count in Counter(message.topic for message in messages).items()
        }
        found = []
        for message in messages:
            found.append(self._named(message, numbers[message.topic]))
            numbers[message.topic] += 1
        return found

    def _episode_of(self, tick: int) -> list[Message]:
        trial = self._source.recording.trial_of(tick)
        return [self._source.episode(trial.trial)] if trial else []

    def _named(self, message: Message, number: int = 0) -> Message:
        return dataclasses.replace(message, session=self._directory.session, sequence=number)

    def _number(self, topic: str) -> int:
        return _FIRST_NUMBER + self._next[topic]

    # --- playing --------------------------------------------------------------------------------------

    def _play(self) -> None:
        then, next_status_s = time.monotonic(), 0.0
        while not self._stopped and not self._over:
            _, requests = self._hub.pump(_WAIT_S)
            for request in requests:
                self._handle(request)
            now = time.monotonic()
            was_playing = self._playback.playing
            for stretch in self._playback.advance(now - then):
                self._send_stretch(stretch)
            then = now
            if now >= next_status_s:
                next_status_s = now + STATUS_EVERY_S
                self._publish_status("replaying" if self._playback.playing else "paused")
            self._over = was_playing and not self._playback.playing and not self._hold

    def _send_stretch(self, stretch: Stretch) -> None:
        messages = self._source.messages(stretch.first, stretch.last)
        if stretch.jumped:
            messages = [*self._jump(stretch.first, messages), *messages]
            self._since = stretch.first
        for message in messages:
            content = message.content
            if isinstance(content, Episode):
                self._trial = content.trial
            elif isinstance(content, Tick):
                self._overruns += content.overrun
            elif isinstance(content, EngineReply):
                self._open_intervals.add(content.events)
            self._hub.send(self._named(message, self._number(message.topic)))
            self._next[message.topic] += 1

    def _jump(self, tick: int, messages: list[Message]) -> list[Message]:
        """The trial, if it is another, and an answer that ends and begins intervals accordingly."""
        found = []
        trial = self._source.recording.trial_of(tick)
        begins = bool(messages) and isinstance(messages[0].content, Episode)
        if trial is not None and trial.trial != self._trial and not begins:
            found = self._episode_of(tick)
        now_open, were_open = self._source.open_events(tick), self._open_intervals.events
        events = [
            msgspec.structs.replace(event, phase="offset", tick=tick)
            for event in were_open
            if event not in now_open and event.kind != "condition"
        ]
        events += [event for event in now_open if event not in were_open]
        return [*found, Message(EngineReply(tuple(events)), tick=tick - 1)]

    # --- commands -------------------------------------------------------------------------------------

    def _handle(self, request: Request) -> None:
        command = request.command
        if not request.trusted:
            self._hub.refuse(
                request,
                "Over TCP without keys a replay can be heard and not commanded; see --keys.",
            )
        elif command.verb in _LIVE_ONLY:
            self._hub.refuse(
                request,
                f"This is a replay of {self._source.recording.name}, and "
                f"{_LIVE_ONLY[command.verb]}.",
            )
        else:
            sentence = self._execute(command)
            if sentence:
                self._hub.refuse(request, sentence)
            else:
                self._hub.reply(request, Reply(True, fields=self._where()))

    def _execute(self, command: Command) -> str:
        """Does it and returns "", or returns why not."""
        playback = self._playback
        stretch: Stretch | None = None
        match command:
            case Command("stop", {**rest}) if not rest:
                self.stop()
            case Command("pause", {**rest}) if not rest:
                playback.pause()
            case Command("resume", {**rest}) if not rest:
                stretch = playback.play()
            case Command("where", {**rest}) if not rest:
                pass
            case Command("step", {**args}) if _is_whole(args.get("ticks", 1)) and args.keys() <= {
                "ticks"
            }:
                stretch = playback.step(args.get("ticks", 1))
            case Command("seek", {"tick": tick, **rest}) if not rest and _is_whole(tick):
                if not playback.first <= tick <= playback.last:
                    return (
                        f"The recording has the ticks {playback.first} to {playback.last}, "
                        f"not {tick}."
                    )
                stretch = playback.seek(tick)
            case Command("speed", {"speed": int() | float() as speed, **rest}) if not rest:
                if not MIN_SPEED <= speed <= MAX_SPEED:
                    return f"A replay runs at {MIN_SPEED:g} to {MAX_SPEED:g} times real time."
                playback.speed = float(speed)
            case Command("loop", {**rest}) if not rest:
                playback.clear_loop()
            case Command("loop", {"first": first, "last": last, **rest}) if (
                not rest and _is_whole(first) and _is_whole(last)
            ):
                try:
                    stretch = playback.repeat(first, last)
                except ValueError:
                    return (
                        f"A loop needs two ticks, first before last, of those recorded: "
                        f"{playback.first} to {playback.last}."
                    )
            case _:
                return (
                    f"{short(command.verb)} with these arguments is not a command of a replay; see "
                    "docs/bus.md."
                )
        if stretch is not None:
            self._send_stretch(stretch)
        return ""

    def _where(self) -> dict[str, Any]:
        playback = self._playback
        return {
            "tick": playback.position,
            "first": playback.first,
            "last": playback.last,
            "playing": playback.playing,
            "speed": playback.speed,
            "loop": playback.loop,
        }

    # --- status -------------------------------------------------------------------------------------

    def _end(self) -> End:
        recorded = self._source.end
        if self._over and recorded is not None and isinstance(recorded.content, End):
            return recorded.content
        reason = "duration" if self._over else "stopped"
        return End(reason, self._playback.position + 1, self._overruns)

    def _publish_status(self, state: str) -> None:
        status = Status(
            state=state,
            processes=dict.fromkeys(("subject", "stimulation", "recorder"), "off"),
            ticks=self._playback.position + 1,
            overruns=self._overruns,
            realtime_factor=self._playback.speed,
            recorder=None,
            refused=self._hub.refused,
        )
        self._hub.publish(status, self._playback.position)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53
