"""Stimulation by hand in the window: what the panel asks of the session, and what the session says of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QFileDialog, QWidget

from gui.panels import Panels
from gui.seen.seen_activity import SeenActivity
from gui.seen.stimuli_on import BY_HAND, StimuliOn, Total
from gui.session import recordings
from gui.stimulate.stimulus_choice import Means, arguments
from gui.streams.live_stream import LiveStream
from gui.streams.stream import Batch
from gui.window_state import WindowState
from rig.bus.external_inputs import OUTSIDE
from rig.bus.message_types import Description
from rig.clock import now
from rig.errors import UserError

TWICE_S = 0.6
"""Escape pressed a second time within so long releases every stimulus."""
VERBS = ("stimulate", "release")
"""What is refused of these is said beside the button."""
TODAY = "stimulated_by_hand"


class StimulateControl(QObject):
    """Asks the session that a window follows for stimuli by hand.

    Args:
        state: what the window shows.
        panels: with the panel, the bar, the selection.
        parent: of dialogs.
    """

    _read = pyqtSignal(str, str, object)

    def __init__(self, state: WindowState, panels: Panels, parent: QWidget) -> None:
        super().__init__(parent)
        self._state = state
        self._panels = panels
        self._panel = panels.stimulate
        self._parent = parent
        self._engine = "off"
        self._escaped_s = 0.0
        self._count = 0
        self._files = ThreadPoolExecutor(1, thread_name_prefix="stimulus files")
        self._wanted = {"baseline": "", "file": ""}
        self._means: Means = {}
        self._rows: Sequence[Sequence[float]] = ()
        self.stimuli = StimuliOn(total=_today(state))
        self.seen = SeenActivity(0)
        self._panel.stimulate_pressed.connect(self.stimulate)
        self._panel.release_pressed.connect(self.release)
        self._panel.release_all_pressed.connect(self.release_all)
        self._panel.file_pressed.connect(self.choose_file)
        panels.control.release_pressed.connect(self.release_all)
        self._read.connect(self._take_file)
        state.phase_changed.connect(lambda _: self._judge())
        self._judge()

    # --- what is asked ----------------------------------------------------------------------------

    def stimulate(self) -> None:
        """Asks for what the panel says."""
        stream = self._live
        if stream is None or not self._panel.fire.isEnabled():
            return
        self._count += 1
        name = f"hand {self._count} @ {max(self._state.tick, 0)}"
        try:
            args = arguments(
                self._panel.choice,
                name,
                self._panel.units,
                self._firsts,
                self.seen,
                self._means,
                self._rows,
            )
        except UserError as problem:
            self._panel.say(str(problem), wrong=True)
            return
        self.stimuli.asked(name, args)
        self._panel.say("Asked for.")
        stream.command("stimulate", **args)

    def release(self, name: str) -> None:
        """Ends the stimuli of a name."""
        if self._live is not None:
            self._live.command("release", name=name)

    def release_all(self) -> None:
        """Ends every stimulus, those of the protocol among them."""
        if self._live is not None:
            self._live.command("release_all", origin=BY_HAND)

    def escape(self) -> None:
        """The key: the second time within `TWICE_S` it releases all."""
        pressed_s = time.monotonic()
        if pressed_s - self._escaped_s <= TWICE_S:
            self._escaped_s = 0.0
            self.release_all()
        else:
            self._escaped_s = pressed_s

    def choose_file(self, which: str) -> None:
        """Asks for a recording whose means are held ("baseline"), or a course ("file"), and reads it."""
        folder = recordings.folder(self._state.settings)
        if which == "baseline":
            words = "Hold units at their means in a recording"
            dialog = recordings.file_dialog(self._parent, words, folder)
            chosen = dialog.selectedFiles()[0] if dialog.exec() else ""
            dialog.deleteLater()
        else:
            words = "Let units follow a course: a row a tick"
            chosen, _ = QFileDialog.getOpenFileName(
                self._parent, words, str(folder), "Tables (*.csv)"
            )
        self.read_file(which, chosen)

    def read_file(self, which: str, chosen: str) -> None:
        """Reads a file of a kind in the background; "": none was chosen."""
        self._wanted[which] = chosen
        self._panel.show_file(which, Path(chosen).name if chosen else "")
        if not chosen:
            return
        description = self._state.description
        self._panel.say(f"Reading {Path(chosen).name}…")
        reads = self._reader(which, Path(chosen), description)

        def work() -> None:
            try:
                found: object = reads()
            except Exception as problem:
                found = problem
            self._read.emit(which, chosen, found)

        self._files.submit(work)

    def _reader(
        self, which: str, path: Path, description: Description | None
    ) -> Callable[[], object]:
        def means() -> object:
            if description is None:
                raise UserError("No session is shown whose units these could be.")
            from analysis.baseline import layer_means  # slow to load

            layers = {layer.name: layer.n_units for layer in description.layers}
            return layer_means(path, description.subject_sha256, layers)

        def rows() -> object:
            from rig.waveform_file import read_rows

            return read_rows(path)

        return means if which == "baseline" else rows

    def _take_file(self, which: str, chosen: str, found: object) -> None:
        if chosen != self._wanted[which]:
            return  # another one was chosen meanwhile
        if isinstance(found, Exception):
            self._wanted[which] = ""
            self._panel.show_file(which, "")
            self._panel.say(str(found), wrong=True)
            return
        if which == "baseline":
            self._means = found  # type: ignore[assignment]  # as `_reader` makes it
        else:
            self._rows = found  # type: ignore[assignment]
        self._panel.say("")

    # --- what the session says --------------------------------------------------------------------

    def follow(self, stream: LiveStream) -> None:
        """Listens to a session."""
        stream.arrived.connect(self.take)
        stream.cleared.connect(self._clear)
        stream.accepted.connect(self._accepted)
        stream.refused.connect(self._refused)

    def reset(self) -> None:
        """Another stream begins."""
        self._engine = "off"
        self._means, self._rows = {}, ()
        for which in [each for each, chosen in self._wanted.items() if chosen]:
            self._wanted[which] = ""
            self._panel.show_file(which, "")
        self._clear()
        self.seen = SeenActivity(0)
        self._judge()

    def take(self, batch: Batch) -> None:
        """A batch of the session's stream."""
        if batch.description is not None and isinstance(batch.description.content, Description):
            layers = batch.description.content.layers
            self.seen = SeenActivity(sum(layer.n_units for layer in layers))
            self._panel.describe(layers)
        self.seen.add(batch.ticks)
        total = Total(**vars(self.stimuli.total))
        self.stimuli.add(batch.answers, batch.ticks)
        if self.stimuli.total != total:
            _remember(self._state, self.stimuli.total)
        if batch.status is not None:
            self._engine = batch.status.processes.get("stimulation", "off")
        self._judge()

    def _clear(self) -> None:
        self.stimuli.forget()

    def _accepted(self, verb: str, fields: dict[str, object]) -> None:
        if verb == "stimulate":
            self._panel.say("")

    def _refused(self, verb: str, sentence: str) -> None:
        if verb in VERBS:
            self._panel.say(sentence, wrong=True)

    def _judge(self) -> None:
        self._panel.allow(self._why_not())
        live = self._live is not None
        self._panels.control.show_on(live, live and bool(self.stimuli.on))
        if not live:
            self._panel.show_on(StimuliOn(total=self.stimuli.total), False)
        elif self._panel.isVisible():
            self._panel.show_on(self.stimuli, self._panels.timeline.blinded)

    def _why_not(self) -> str:
        description = self._state.description
        if self._state.phase == "replay":
            return "This is a recording: its units cannot be stimulated. A branch of it can."
        if self._live is None or description is None:
            return "No session runs."
        if OUTSIDE not in description.stimuli:
            return "This protocol takes no stimuli from outside (outside_stimuli: refused)."
        if self._engine in ("dead", "stuck"):
            return (
                "There is no stimulation engine that would deliver anything. Take a new one, in the panel "
                "Session."
            )
        return ""

    @property
    def _live(self) -> LiveStream | None:
        stream = self._state.stream
        return stream if self._state.phase == "live" and isinstance(stream, LiveStream) else None

    @property
    def _firsts(self) -> dict[str, int]:
        found, first = {}, 0
        for layer in self._state.description.layers if self._state.description else ():
            found[layer.name] = first
            first += layer.n_units
        return found


def _date() -> str:
    return now().date().isoformat()


def _today(state: WindowState) -> Total:
    """What was done by hand today, in windows before this one."""
    try:
        kept = json.loads(str(state.settings.value(TODAY, "{}")))
        if kept.pop("date", "") == _date():
            return Total(**kept)
    except (AttributeError, TypeError, ValueError):
        pass
    return Total()


def _remember(state: WindowState, total: Total) -> None:
    state.settings.setValue(TODAY, json.dumps({"date": _date(), **vars(total)}))
