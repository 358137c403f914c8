"""How the session is doing: what it is, how far it has come, and the state of every process."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QWidget

from gui.look.labels import ElidedLabel
from gui.look.theme import Theme
from rig.bus.message_types import Description, Status

STATE_WORDS = {
    "alive": "running",
    "starting": "starting",
    "ended": "ended",
    "dead": "failed",
    "stuck": "not answering",
    "off": "off",
}
STATE_ROLES = {"dead": "alarm", "stuck": "alarm", "alive": "good", "ended": "muted", "off": "muted"}
PROCESSES = ("process_subject", "process_stimulation", "process_recorder")
LIVE_ROWS = ("overruns", *PROCESSES, "disk", "refused")
WIDEST = "9 999 999 (100.0 %)"


class HealthPanel(QFrame):
    """The numbers: ticks, those that came late, and the state of every process; without a session, none.

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
        ("overruns", "Late ticks"),
        ("process_subject", "Animal"),
        ("process_stimulation", "Stimulation"),
        ("process_recorder", "Recorder"),
        ("disk", "On disk"),
        ("refused", "Refused"),
    )

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._theme = theme
        self._values: dict[str, ElidedLabel] = {}
        self._names: dict[str, QLabel] = {}
        self._roles: dict[str, str] = {}
        self._live = True
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 6, 10, 6)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(1, self.fontMetrics().horizontalAdvance(WIDEST))
        for row, (key, words) in enumerate(self.ROWS):
            name = QLabel(words)
            name.setObjectName("muted")
            value = ElidedLabel()
            for label in (name, value):
                label.hide()
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
        self._set("tick", _grouped(tick))
        self._set("trial", str(trial + 1))

    def show_status(self, status: Status) -> None:
        """The supervisor's word on everything."""
        share = 100.0 * status.overruns / max(status.ticks, 1)
        role = "warning" if share > 1.0 else "text"
        self._set("overruns", f"{status.overruns} ({share:.1f} %)", role)
        for process, state in status.processes.items():
            if f"process_{process}" in self._values:
                words = STATE_WORDS.get(state, state)
                self._set(f"process_{process}", words, STATE_ROLES.get(state, "text"))
        lost = status.processes.get("stimulation") in ("dead", "stuck")
        self.new_engine.setVisible(lost and status.state in ("running", "paused"))
        ignored = status.refused + status.malformed
        counts = f"{status.refused}, {status.malformed}"
        self._set("refused", counts if ignored else "", "warning")
        report = status.recorder
        if report is not None:
            role = "alarm" if report.state == "failed" else "text"
            self._set("disk", f"{_grouped(report.ticks_on_disk)} ticks", role)

    def show_processes(self, shown: bool) -> None:
        """A recording has no processes; a session has."""
        self._live = shown
        if not shown:
            self.new_engine.hide()
        for key in LIVE_ROWS:
            self._show_row(key)

    def show_lost(self) -> None:
        """The session is gone without a word: what its processes did last is not what they do."""
        for key in PROCESSES:
            self._set(key, "lost", "alarm")
        self.new_engine.hide()

    def reset(self) -> None:
        """Another session begins."""
        for key in self._values:
            self._set(key, "")
        self.new_engine.hide()

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        for key in self._values:
            self._colour(key)

    def _set(self, key: str, text: str, role: str = "text") -> None:
        label = self._values[key]
        if text != label.full_text:
            label.set_full_text(text)
            self._show_row(key)
        if self._roles.get(key) != role:
            self._roles[key] = role
            self._colour(key)

    def _show_row(self, key: str) -> None:
        shown = bool(self.value(key)) and (self._live or key not in LIVE_ROWS)
        self._values[key].setVisible(shown)
        self._names[key].setVisible(shown)

    def _colour(self, key: str) -> None:
        colour = getattr(self._theme, self._roles.get(key, "text"))
        self._values[key].setStyleSheet(f"color: {colour};")


def _grouped(number: int) -> str:
    """A number with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u2009")
