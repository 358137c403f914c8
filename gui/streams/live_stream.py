"""A running session as a stream: joined, or started first; and the way for commands to it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from gui.streams.stream import BATCH_INTERVAL_S, Batch, Stream
from rig import clock
from rig.client import BusClient, attach
from rig.errors import RunError
from rig.session.directory import running_sessions

SILENCE_S = 2.0
JOIN_TIMEOUT_S = 90.0
ATTACH_TIMEOUT_S = 20.0
REJOIN_EVERY_S = 0.2


class LiveStream(Stream):
    """Follows a running session, or starts one first, and sends it commands.

    Args:
        session: the name of a running session, or None to start one.
        start_session: starts a session and returns its name; called in the stream's thread.

    Commands are answered by `accepted(verb, fields)` or `refused(verb, sentence)`. `silent` tells, about
    once a second, since when (time of day) nothing has come from a session that should be talking.
    """

    joined = pyqtSignal(str)
    accepted = pyqtSignal(str, dict)
    refused = pyqtSignal(str, str)
    silent = pyqtSignal(str)

    def __init__(
        self,
        session: str | None,
        start_session: Callable[[], str] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session or ""
        self._start_session = start_session
        self._commands = ThreadPoolExecutor(1, thread_name_prefix="commands")
        self._early: list[tuple[str, dict[str, Any]]] = []
        self._naming = threading.Lock()  # of a session that is being started
        self._newest = -1
        self._episode: object = None

    def command(self, verb: str, **args: Any) -> None:
        """Sends a command without waiting for its answer; to a session that is starting, when it can hear."""
        with self._naming:
            if self.session:
                self._commands.submit(self._command, verb, args)
            else:
                self._early.append((verb, args))

    def close(self) -> None:
        """Leaves the session; it goes on, unless it was asked to end, be it before it could hear that."""
        super().close()
        with self._naming:
            if self.session or not self._early:
                self._commands.shutdown(wait=False)

    def _command(self, verb: str, args: dict[str, Any]) -> None:
        # A client of its own: starting or closing a recording takes a second, and the displays must not
        # stand still for it.
        try:
            with attach(self.session) as client:
                fields = client.command(verb, timeout_s=30.0, **args)
        except RunError as problem:
            self.refused.emit(verb, str(problem))
        except Exception as problem:  # a defect of ours: said in the window, whole on the terminal
            traceback.print_exc()
            words = f"An unexpected problem: {type(problem).__name__}: {problem}"
            self.refused.emit(verb, words)
        else:
            self.accepted.emit(verb, fields)

    def _run(self) -> None:
        if not self.session:
            if self._start_session is None:
                raise RunError("There is no session to follow and nothing to start one with.")
            self.progress.emit("Starting the animal…")
            session = self._start_session()
            with self._naming:
                self.session = session
                for verb, args in self._early:
                    self._commands.submit(self._command, verb, args)
                if self._early and self._closing.is_set():
                    self._commands.shutdown(wait=False)
            self.progress.emit("Waiting for the first tick…")
        else:
            self.progress.emit("Joining the session…")
        client = self._join()
        if client is not None:
            self.joined.emit(self.session)
        while client is not None:
            with client:
                jumped = self._follow(client)
            client = self._rejoin() if jumped else None

    def _attach(self) -> BusClient:
        deadline = time.monotonic() + ATTACH_TIMEOUT_S
        while True:
            try:
                return attach(self.session)
            except RunError:
                if time.monotonic() > deadline or self._closing.is_set():
                    raise
                self._closing.wait(0.1)

    def _join(self) -> BusClient | None:
        """Waits until the session can say what it is, showing meanwhile how its processes come up.

        Every attempt is a client of its own, because a client passes nothing on twice: what one has
        polled while waiting would be missing from its later join.
        """
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        with self._attach() as listener:
            while not self._closing.is_set() and time.monotonic() < deadline:
                client = self._attach()
                batch = Batch()
                try:
                    batch.add(client.join(5.0))
                except RunError:
                    self._still_there()
                if batch.description is not None and batch.assets is not None and batch.episodes:
                    while not self._deliver(batch, clear=True) and not self._closing.is_set():
                        self._shown.wait(0.1)
                    self._shown_last(batch)
                    return client
                client.close()
                waiting = Batch()
                waiting.add(listener.poll(0.2))
                waiting.ticks.clear()
                waiting.answers.clear()
                waiting.episodes.clear()
                if not waiting.empty:
                    self._deliver(waiting)
                if waiting.end is not None:
                    return None
        if self._closing.is_set():
            return None
        raise RunError(f"The session did not start within {JOIN_TIMEOUT_S:.0f} s.")

    def _rejoin(self) -> BusClient:
        """Joins a replay anew after it has jumped, so that the displays look as if it had come to there."""
        self._closing.wait(REJOIN_EVERY_S)
        client = self._attach()
        batch = Batch()
        batch.add(client.join())
        # the arena's model takes half a second to compile: not for a trial that is shown already
        batch.description = batch.assets = None
        batch.episodes = [each for each in batch.episodes if each.content != self._episode]
        self._shown_last(batch)
        while not self._closing.is_set() and not self._deliver(batch, clear=True):
            self._shown.wait(0.1)
        return client

    def _shown_last(self, batch: Batch) -> None:
        if batch.episodes:
            self._episode = batch.episodes[-1].content
        if batch.ticks:
            self._newest = batch.ticks[-1].tick

    def _follow(self, client: BusClient) -> bool:
        """Follows until it ends or the stream is closed; True when ticks have gone back (a replay)."""
        batch = Batch()
        heard = warned = time.monotonic()
        handed = 0.0
        silent_since = ""
        while not self._closing.is_set():
            messages = client.poll(0.02)
            now = time.monotonic()
            if messages:
                heard = warned = now
                silent_since = ""
                batch.add(messages)
                ticks = [self._newest, *(message.tick for message in batch.ticks)]
                if any(later <= earlier for earlier, later in pairwise(ticks)):
                    return True
            elif now - warned > 1.0 and now - heard > SILENCE_S:
                warned = now
                if not silent_since:  # one sentence for one silence: it can be dismissed
                    silent_since = f"{clock.now() - timedelta(seconds=now - heard):%H:%M:%S}"
                self.silent.emit(silent_since)
                self._still_there()
            if now - handed >= BATCH_INTERVAL_S and not batch.empty and self._deliver(batch):
                handed = now
                if batch.end is not None:
                    return False
                self._shown_last(batch)
                batch = Batch()
            elif not batch.empty:
                # More may come before the interval is over; sleep instead of spinning on the socket.
                self._closing.wait(max(0.002, BATCH_INTERVAL_S - (now - handed)))
        return False

    def _still_there(self) -> None:
        if self.session not in {note.session for note in running_sessions()}:
            if self._newest < 0:
                raise RunError(
                    f"The session {self.session} was over before this window had joined it; what it "
                    "recorded, if anything, is on disk."
                )
            raise RunError(
                f"The session {self.session} ended without saying so; what it had recorded is on disk "
                "(`rodent-rig recover` makes the file whole)."
            )
