"""What the window's editor is told about protocols, by the functions that the command `check` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cli.protocols import baselines_of, check_tree
from cli.sound_baselines import SoundBaselines
from cli.subjects import layers_of
from gui.editor.protocol_language import (
    CheckedText,
    Completion,
    Completions,
    DryRun,
    Mistake,
    ProtocolChoice,
)
from gui.seen.intervals import Interval
from rig.arenas.names import TASKS
from rig.errors import RunError, UserError
from stim.protocol import complete as completion
from stim.protocol.find import OWN, SHIPPED
from stim.protocol.mistakes import ProtocolError
from stim.protocol.model import Protocol
from stim.protocol.read import ProtocolTree, is_script, read_protocol
from stim.protocol.source import read_text


class RigProtocolLanguage:
    """Answers as `gui.editor.protocol_language.ProtocolLanguage` says; no protocol's Python is executed.

    Args:
        baselines: remembers those that are sound.
    """

    def __init__(self, baselines: SoundBaselines | None = None) -> None:
        self._layers: dict[str, Mapping[str, int]] = {}
        self._around: completion.Surroundings | None = None
        self._baselines = baselines or SoundBaselines()

    def check(self, text: str, path: Path) -> CheckedText:
        """What a text would do, in the words of `rodent-rig check`, or its mistakes."""
        from stim.protocol.explain import explain

        said = CheckedText()
        try:
            tree = read_protocol(text, str(path))
            said = CheckedText(name=tree.name, parameters=tree.parameters)
            words = explain(self._checked(tree))
        except ProtocolError as problem:
            mistakes = tuple(Mistake(m.line, m.column, m.sentence) for m in problem.mistakes)
            return CheckedText("", mistakes, said.name, said.parameters)
        except (UserError, RunError) as problem:
            return CheckedText("", (Mistake(1, 1, str(problem)),), said.name, said.parameters)
        return CheckedText(words, (), said.name, said.parameters)

    def complete(self, text: str, line: int, column: int) -> Completions:
        """What may be written at a place."""
        found = completion.complete(text, line, column, self._surroundings())
        items = tuple(Completion(each.name, each.text, each.meaning) for each in found.items)
        return Completions(found.start, items)

    def about(self, text: str, line: int, column: int) -> str:
        """What the key or name at a place means."""
        return completion.about(text, line, column)

    def dry_run(
        self,
        text: str,
        path: Path,
        recording: Path | tuple[Path, ...],
        on_progress: Callable[[float], None],
    ) -> DryRun:
        """What a text would have done in a recording, as `rodent-rig check --against` says it."""
        from analysis.detection import detect, report

        if is_script(str(path)):
            raise UserError(
                "A protocol in Python is a program and is not executed here; `rodent-rig check --against "
                "RECORDING --allow-python` does."
            )
        protocol = self._checked(read_protocol(text, str(path)))
        values, _ = baselines_of(protocol)
        found = detect(protocol, recording, values, on_progress=on_progress)
        stimuli = tuple(
            Interval("stimulus", s.name, s.number, s.sham, s.cause, s.tick, s.tick, s.end_tick)
            for s in found.stimuli
        )
        return DryRun(report(protocol, found), stimuli)

    def templates(self) -> tuple[ProtocolChoice, ...]:
        """The protocols that come with the rig."""
        found = []
        for path in sorted(SHIPPED.glob("*.yaml")):
            tree = read_protocol(read_text(path), str(path))
            about = tree.root.get("description")
            words = " ".join(str(about.value).split()) if about is not None else ""
            found.append(ProtocolChoice(path, tree.name or path.stem, words))
        return tuple(found)

    def own_folder(self) -> Path:
        """The folder `protocols` where the user works."""
        return OWN.resolve()

    def is_shipped(self, path: Path) -> bool:
        """Whether a file is among those that come with the rig."""
        return path.resolve().parent == SHIPPED

    def _checked(self, tree: ProtocolTree) -> Protocol:
        """The protocol of a text, as `cli.protocols.checked_text` has it."""
        protocol = check_tree(tree)
        self._baselines.check(tree, protocol)
        return protocol

    def _surroundings(self) -> completion.Surroundings:
        if self._around is None:
            from agent.subject import known

            self._around = completion.Surroundings(TASKS, known(), self._layers_of)
        return self._around

    def _layers_of(self, subject: str) -> Mapping[str, int]:
        """As `layers_of`, read once: it is asked for at every key."""
        if subject not in self._layers:
            self._layers[subject] = layers_of(subject)
        return self._layers[subject]
