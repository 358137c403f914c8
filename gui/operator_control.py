"""What an operator does to a session: hold it, step it, arm it, press its protocol's keys, write notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QWidget

from gui.panels import Panels
from gui.seen.intervals import Interval
from gui.session.session_notes import SessionNotes
from gui.session.standstill import Standstill
from gui.streams.live_stream import LiveStream
from gui.streams.stream import Batch
from gui.window_state import WindowState
from rig.bus.message_types import TICK_S, Status

PAUSED = "Paused at {time_s:.2f} s, tick {tick}"
HOW = "space: go on   full stop: one tick"


class OperatorControl(QObject):
    """Asks the session for these, and shows what has become of it.

    Args:
        state: what the window shows.
        panels: with the bar, the keys and the line for notes.
        parent: takes the keyboard back when a note is written.
        is_recorded: whether the session is recorded at present.

    Attributes:
        paused: whether the animal is held, as the session says.
        armed: whether the protocol's rules fire, as the session says.
        log: the notes in the panel of the log.
        standstills: the signs over arena and timeline that say that it is held.
    """

    def __init__(
        self,
        state: WindowState,
        panels: Panels,
        parent: QWidget,
        is_recorded: Callable[[], bool],
    ) -> None:
        super().__init__(parent)
        self._is_recorded = is_recorded
        self._state = state
        self._panels = panels
        self._window = parent
        self.paused = False
        self.armed = True
        self._can_arm = False
        self._stepping = False
        self._joined = False
        self._sent: list[tuple[int, str]] = []
        self.log = SessionNotes(panels.timeline.marks, panels.log)
        self.standstills = [
            Standstill(panels.arena, below=True),
            Standstill(panels.timeline.plots),
        ]
        control, line = panels.control, panels.note
        control.pause_pressed.connect(self.toggle_pause)
        control.step_pressed.connect(self.step)
        control.arm_pressed.connect(self.toggle_armed)
        panels.keys.pressed.connect(self.press_key)
        line.written.connect(self.send_note)
        line.closed.connect(lambda: self._window.setFocus())
        state.phase_changed.connect(lambda _: self._show())
        self._show()

    def reset(self) -> None:
        """Another stream begins."""
        self.paused, self.armed, self._can_arm, self._stepping = False, True, False, False
        self._joined, self._sent = False, []
        self._panels.note.shut()
        self._panels.keys.show_heard(True)
        self.log.reset()
        self._show()

    def follow(self, stream: LiveStream) -> None:
        """Listens to a session."""
        stream.arrived.connect(self.take)
        stream.accepted.connect(self._accepted)
        stream.refused.connect(self._refused)

    # --- what is asked ----------------------------------------------------------------------------

    def toggle_pause(self) -> None:
        """Holds the animal between two ticks, or lets it go on."""
        if self._live is not None:
            self._live.command("resume" if self.paused else "pause")

    def step(self) -> None:
        """Runs one tick and holds the animal again; while one is asked for, no other is."""
        if self._live is not None and not self._stepping:
            self._stepping = True
            self._live.command("step", ticks=1)

    def toggle_armed(self) -> None:
        """Lets the protocol deliver nothing from the next tick on, or again what it says."""
        if self._live is not None and self._can_arm:
            self._live.command("disarm" if self.armed else "arm")

    def press_key(self, key: str) -> None:
        """A key, for the session's protocol and for its record."""
        description = self._state.description
        listened = description.keys if description is not None else ()
        found = next((each for each in listened if each.lower() == key.lower()), None)
        if self._live is None:
            return
        if found is not None and not self._panels.keys.heard:
            self._panels.banner.show_sentence(
                "key",
                f"The key {found} does nothing: there is no stimulation engine to hear it. Take a new one "
                "(in the panel Session).",
                for_s=8.0,
            )
            return
        self._live.command("key", key=found or key)

    def open_note(self) -> None:
        """Opens the line in which a note is written: on the tick that is shown now."""
        if self._live is not None:
            self._panels.note.open(self._state.tick, recorded=self._is_recorded())

    def send_note(self, tick: int, text: str) -> None:
        """Sends a note on a tick; one that is refused comes back into its line."""
        if self._live is not None:
            self._sent.append((tick, text))
            self._panels.timeline.marks.expect(tick, text)
            self._live.command("note", text=text, tick=tick)

    # --- what comes from it -----------------------------------------------------------------------

    def take(self, batch: Batch) -> None:
        """Follows the session's ticks."""
        if batch.ticks:
            self.log.show()
            if self.paused:
                self._show()

    def take_status(self, status: Status) -> None:
        """The supervisor's word on all this."""
        engine = status.processes.get("stimulation", "off")
        heard = engine not in ("dead", "stuck")
        self._panels.keys.show_heard(heard)
        self.paused = status.state == "paused"
        self.armed = status.armed
        self._can_arm = heard and engine != "off"
        if self._state.tick >= 0 and not self._joined:
            self._joined = True
            self._panels.timeline.marks.join(status.armed, self._state.tick)
        self._show()

    def show_on(self, intervals: Sequence[Interval]) -> None:
        """The stimuli and shams that go on now: the keys that begin them are lit."""
        blinded = self._panels.timeline.blinded
        self._panels.keys.show_on(
            {each.name: each.sham and not blinded for each in intervals if each.kind == "stimulus"}
        )

    @property
    def _live(self) -> LiveStream | None:
        stream = self._state.stream
        return stream if self._state.phase == "live" and isinstance(stream, LiveStream) else None

    def _accepted(self, verb: str, fields: dict[str, object]) -> None:
        if verb in ("pause", "step", "resume"):
            self.paused, self._stepping = verb != "resume", False
        elif verb in ("arm", "disarm"):
            self.armed = verb == "arm"
        elif verb == "note" and self._sent:
            self._sent.pop(0)
        self._show()

    def _refused(self, verb: str, sentence: str) -> None:
        if verb == "step":
            self._stepping = False
        elif verb == "note" and self._sent:
            tick, text = self._sent.pop(0)
            self._panels.timeline.marks.expect(tick, text, False)
            self._panels.note.open(tick, text)

    def _show(self) -> None:
        live = self._state.phase == "live"
        self._panels.control.show_operating(
            live, paused=self.paused, armed=self.armed, can_arm=self._can_arm
        )
        words = ""
        if live and self.paused:
            tick = max(self._state.tick, 0)
            words = PAUSED.format(time_s=tick * TICK_S, tick=tick)
        for each in self.standstills:
            each.say(words, HOW)
        if not live and (unsent := self._panels.note.shut()):
            self._panels.banner.show_sentence(
                "unsent note", f"This note came too late for the session: {unsent}", "note"
            )
