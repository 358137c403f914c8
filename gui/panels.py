"""The panels of a window, made once: displays, bars and the page that welcomes."""

from __future__ import annotations

from gui.annotate.annotate_panel import AnnotatePanel
from gui.annotate.annotation_document import AnnotationDocument
from gui.arena.arena_view import ArenaView
from gui.arena.camera_view import CameraView
from gui.behaviour.behaviour_panel import BehaviourPanel
from gui.look.theme import Theme
from gui.replay.analyse_panel import AnalysePanel
from gui.replay.comparison_view import ComparisonView
from gui.replay.transport import TransportBar
from gui.session.banner import Banner
from gui.session.control_bar import ControlBar
from gui.session.fault_watch import FaultWatch
from gui.session.health import HealthPanel
from gui.session.log_panel import LogPanel
from gui.session.note_line import NoteLine
from gui.session.operator_keys import OperatorKeys
from gui.session.performance import PerformancePanel
from gui.session.session_end import SessionEnd
from gui.session.session_setup import SessionStarter
from gui.session.welcome import Welcome
from gui.stimulate.stimulate_panel import StimulatePanel
from gui.streams.stream import Batch
from gui.timeline.selection import UnitSelection
from gui.timeline.timeline import Timeline
from gui.units.population_panel import PopulationPanel
from gui.units.units_panel import UnitsPanel


class Panels:
    """Every panel by name. They know a theme and what they show, and nothing of the window."""

    def __init__(self, theme: Theme, sessions: SessionStarter | None = None) -> None:
        self.control = ControlBar(theme)
        self.banner = Banner()
        self.selection = UnitSelection()
        self.timeline = Timeline(theme, self.selection)
        self.welcome = Welcome(sessions)
        self.end = SessionEnd()
        self.transport = TransportBar()
        self.keys = OperatorKeys()
        self.note = NoteLine()
        self.arena = ArenaView(theme)
        self.camera = CameraView(theme)
        self.health = HealthPanel(theme)
        self.performance = PerformancePanel(theme)
        self.performance.yielding.connect(lambda every: self.arena.renderer.set_share(1 / every))
        self.log = LogPanel(theme)
        self.faults = FaultWatch(self.banner, self.log, self.timeline)
        self.comparison = ComparisonView(theme, self.selection)
        self.population = PopulationPanel(theme)
        self.behaviour = BehaviourPanel(theme, lambda: self.arena.renderer.assets)
        self.timeline.behaviour_chosen.connect(self.behaviour.choose)
        self.units = UnitsPanel(theme, self.selection, self.timeline.raster)
        for panel in (self.population, self.units):
            self.timeline.blinded_changed.connect(panel.set_blinded)
        self.stimulate = StimulatePanel(self.selection)
        self.annotations = AnnotationDocument()
        self.annotate = AnnotatePanel(self.annotations, theme)
        self.analyse = AnalysePanel(theme, self.selection)

    def take(self, batch: Batch) -> None:
        """A batch of the one session or recording that is shown, for every panel that follows it."""
        for panel in (
            self.timeline,
            self.arena,
            self.camera,
            self.population,
            self.units,
            self.performance,
            self.behaviour,
        ):
            panel.take(batch)

    def clear(self) -> None:
        """What comes next does not follow what was shown."""
        for panel in (
            self.timeline,
            self.comparison,
            self.population,
            self.units,
            self.performance,
            self.behaviour,
        ):
            panel.clear()

    def close(self) -> None:
        """Ends the threads of the panels."""
        self.arena.close_renderer()
        self.comparison.close_renderers()
        self.performance.close_worker()
        self.population.close_worker()
        self.behaviour.close_renderer()
        if self.welcome.form is not None:
            self.welcome.form.close_worker()

    def search_units(self) -> None:
        """Lets the user type which units to select; side by side, in the first recording for all."""
        columns = self.comparison.columns
        shown = columns[0].timeline if columns else self.timeline
        shown.head.start_search()

    def look_as(self, mode: str) -> None:
        """Looks at the animal, or at those side by side, in one of `gui.arena.arena_scene.MODES`."""
        self.arena.look_as(mode)
        self.comparison.look_as(mode)

    def set_theme(self, theme: Theme) -> None:
        """Dark or light."""
        for panel in (
            self.control,
            self.log,
            self.timeline,
            self.arena,
            self.camera,
            self.health,
            self.performance,
            self.transport,
            self.comparison,
            self.annotate,
            self.analyse,
            self.population,
            self.units,
            self.behaviour,
        ):
            panel.set_theme(theme)
