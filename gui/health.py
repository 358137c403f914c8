"""How the session is doing: the bar with *Acquire* and *Record*, the panel of numbers."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from gui.labels import ElidedLabel, restyle
from gui.recorder_watch import Verdict, clock
from gui.theme import Theme, numbers_font
from rig.bus.message_types import Description, Status

STATE_WORDS = {
    "alive": "running",
    "starting": "starting",
    "dead": "DEAD",
    "stuck": "NOT ANSWERING",
    "off": "off",
}
LIVE_ROWS = (
    *("factor", "overruns", "process_subject", "process_stimulation", "process_recorder", "disk"),
    "refused",
)


class ControlBar(QFrame):
    """Acquire and Record, two buttons; beside them what the recorder says of itself; the animal's clock."""

    acquire_pressed = pyqtSignal()
    record_pressed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("bar")
        self.acquire = QPushButton("Acquire")
        self.acquire.setToolTip("Start or end the session")
        self.acquire.clicked.connect(self.acquire_pressed)
        self.record = QPushButton("Record")
        self.record.setToolTip("Start or stop writing the session to a file (R)")
        self.record.clicked.connect(self.record_pressed)
        for button in (self.acquire, self.record):
            button.setMinimumSize(104, 34)

        self.recording = QFrame()
        self.recording.setObjectName("recording")
        self.recording.setMinimumHeight(34)
        self.headline = QLabel("Not recording")
        bold = self.headline.font()
        bold.setBold(True)
        self.headline.setFont(bold)
        self.file = ElidedLabel()
        self.elapsed, self.size_on_disk, self.free = QLabel(), QLabel(), QLabel()
        for label in (self.elapsed, self.size_on_disk):
            label.setFont(numbers_font())
        inside = QHBoxLayout(self.recording)
        inside.setContentsMargins(12, 0, 12, 0)
        inside.setSpacing(16)
        inside.addWidget(self.headline)
        inside.addWidget(self.file, 1)
        for label in (self.elapsed, self.size_on_disk, self.free):
            inside.addWidget(label)

        self.replayed = ElidedLabel()
        self.replayed.setMinimumHeight(34)
        self.replayed.setIndent(6)

        self.clock = QLabel("–:––.–")
        self.clock.setFont(numbers_font(15))
        self.clock.setToolTip("Animal time: ticks times 20 ms")
        self.pace = QLabel("")
        self.pace.setObjectName("muted")
        self.pace.setMinimumWidth(92)
        self.pace.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

        row = QHBoxLayout(self)
        row.setContentsMargins(8, 7, 14, 7)
        row.setSpacing(8)
        row.addWidget(self.acquire)
        row.addWidget(self.record)
        row.addWidget(self.recording, 1)
        row.addWidget(self.replayed, 1)
        row.addWidget(self.pace)
        row.addSpacing(4)
        row.addWidget(self.clock)

    def show_acquisition(self, words: str, acquiring: bool, possible: bool) -> None:
        """Labels the first button; `acquiring` lights it."""
        self.acquire.setText(words)
        self.acquire.setEnabled(possible)
        restyle(self.acquire, on=acquiring)

    def show_recording(self, verdict: Verdict, words: str, possible: bool) -> None:
        """Shows what the recorder has said, and labels the second button."""
        self.record.setText(words)
        self.record.setEnabled(possible)
        restyle(self.record, recording=verdict.state == "recording")
        restyle(self.recording, state=verdict.state)
        dot = "●  " if verdict.state == "recording" else ""
        self.headline.setText(dot + verdict.headline)
        self.file.set_full_text(verdict.file)
        for label, text in (
            (self.elapsed, verdict.elapsed),
            (self.size_on_disk, verdict.size),
            (self.free, verdict.free),
        ):
            label.setText(text)
            label.setVisible(bool(text))

    def show_time(self, seconds: float) -> None:
        """The animal's clock."""
        self.clock.setText(clock(seconds))

    def show_pace(self, words: str) -> None:
        """How fast its time passes."""
        self.pace.setText(words)

    def show_controls(self, shown: bool) -> None:
        """A recording cannot be acquired or recorded again: its name takes the buttons' place."""
        for widget in (self.acquire, self.record, self.recording):
            widget.setVisible(shown)
        self.replayed.setVisible(not shown)

    def show_replayed(self, words: str) -> None:
        """What is replayed."""
        self.replayed.set_full_text(words)


class HealthPanel(QFrame):
    """The numbers: ticks, pace, overruns, and the state of every process.

    Where the stimulation engine is dead or does not answer, a button asks for another one.
    """

    engine_asked = pyqtSignal()

    ROWS = (
        ("subject", "Subject"),
        ("task", "Task"),
        ("seed", "Seed"),
        ("protocol", "Protocol"),
        ("trial", "Trial"),
        ("tick", "Tick"),
        ("factor", "Real-time factor"),
        ("overruns", "Overruns"),
        ("process_subject", "Subject process"),
        ("process_stimulation", "Stimulation"),
        ("process_recorder", "Recorder"),
        ("disk", "On disk"),
        ("refused", "Refused, malformed"),
    )

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self._values: dict[str, ElidedLabel] = {}
        self._names: dict[str, QLabel] = {}
        self._roles: dict[str, str] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 6, 10, 6)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        for row, (key, words) in enumerate(self.ROWS):
            name = QLabel(words)
            name.setObjectName("muted")
            value = ElidedLabel("–")
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(name, row, 0)
            grid.addWidget(value, row, 1)
            self._values[key] = value
            self._names[key] = name
        self.new_engine = QPushButton("Take a new stimulation engine")
        self.new_engine.setToolTip("The session goes on; stimuli are possible again")
        self.new_engine.clicked.connect(self.engine_asked)
        self.new_engine.hide()
        grid.addWidget(self.new_engine, len(self.ROWS), 0, 1, 2)
        grid.setRowStretch(len(self.ROWS) + 1, 1)
        self._values["refused"].setToolTip(
            "Commands of other programs (and this window) that were refused: malformed, or not allowed. "
            "Messages between the session's own processes that were malformed, and ignored"
        )
        self._values["overruns"].setToolTip("Ticks that came later than their 20 ms")

    def value(self, key: str) -> str:
        """The text shown for one of `ROWS`."""
        return self._values[key].full_text

    def describe(self, description: Description) -> None:
        """What the session is."""
        self._set("subject", description.subject)
        self._set("task", description.task.replace("_", " "))
        self._set("seed", str(description.seed))
        self._set("protocol", description.protocol_name)

    def show_tick(self, tick: int, trial: int) -> None:
        """How far it has come."""
        self._set("tick", f"{tick:,}".replace(",", "\u2009"))
        self._set("trial", str(trial + 1))

    def show_status(self, status: Status) -> None:
        """The supervisor's word on everything."""
        self._set("factor", f"{status.realtime_factor:.2f} ×")
        share = 100.0 * status.overruns / max(status.ticks, 1)
        role = "warning" if share > 1.0 else "text"
        self._set("overruns", f"{status.overruns} ({share:.1f} %)", role)
        for process, state in status.processes.items():
            if f"process_{process}" in self._values:
                words = STATE_WORDS.get(state, state)
                role = {"dead": "alarm", "stuck": "alarm", "alive": "good"}.get(state, "text")
                self._set(f"process_{process}", words, role)
        lost = status.processes.get("stimulation") in ("dead", "stuck")
        self.new_engine.setVisible(lost and status.state in ("running", "paused"))
        ignored = status.refused + status.malformed
        counts = f"{status.refused}, {status.malformed}"
        self._set("refused", counts, "warning" if ignored else "text")
        report = status.recorder
        if report is not None:
            role = "alarm" if report.state == "failed" else "text"
            self._set("disk", f"{report.ticks_on_disk} ticks", role)

    def show_processes(self, shown: bool) -> None:
        """A recording has no processes and no pace; a session has."""
        if not shown:
            self.new_engine.hide()
        for key in LIVE_ROWS:
            self._values[key].setVisible(shown)
            self._names[key].setVisible(shown)

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        for key in self._values:
            self._colour(key)

    def _set(self, key: str, text: str, role: str = "text") -> None:
        label = self._values[key]
        if text != label.full_text:
            label.set_full_text(text)
        if self._roles.get(key) != role:
            self._roles[key] = role
            self._colour(key)

    def _colour(self, key: str) -> None:
        colour = getattr(self._theme, self._roles.get(key, "text"))
        self._values[key].setStyleSheet(f"color: {colour};")
