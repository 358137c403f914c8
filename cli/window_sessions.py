"""What the window sets sessions up from: subjects, tasks, protocols; and from its form to a session."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from cli.options import Pace
from cli.protocol_language import RigProtocolLanguage
from cli.protocols import check_tree, execution_allowed
from cli.session_spec import RunOptions, check_said, prepare_session
from cli.sound_baselines import SoundBaselines
from gui.editor.protocol_language import ProtocolChoice
from gui.session.session_setup import Checked, SessionRequest, SubjectChoice
from rig.arenas.names import TASKS
from rig.errors import RunError, UserError
from rig.new_recording import recording_name
from rig.output_file import reason
from stim.protocol.find import find, known
from stim.protocol.model import Protocol
from stim.protocol.read import (
    ProtocolTree,
    is_script,
    read_protocol,
    with_settings,
    with_subject_and_task,
)
from stim.protocol.script import header_of
from stim.protocol.source import read_text
from stim.protocol.unfinished import Unfinished

DEFAULT = "first_light"
"""The protocol that a window without one begins with."""


class WindowSessions:
    """Checks and starts what a window asks for, as `gui.session.session_setup.SessionStarter` says.

    Args:
        first: what the window was opened with.
        options: how sessions are run, beside what a request says.
        allow_python: whether a protocol's Python may be executed.
    """

    def __init__(
        self,
        first: SessionRequest | None = None,
        options: RunOptions | None = None,
        allow_python: bool = False,
    ) -> None:
        self.first = first or SessionRequest(protocol=find(Path(DEFAULT)))
        self._options = options or RunOptions()
        self._allow_python = allow_python
        self._baselines = SoundBaselines()
        self.language = RigProtocolLanguage(self._baselines)

    def subjects(self) -> tuple[SubjectChoice, ...]:
        """Those that are installed, each with a line and a picture of its card."""
        from agent.subject import SUBJECT_FILE, subject_folders

        found: dict[str, SubjectChoice] = {}
        for folder in subject_folders():
            for path in sorted(folder.glob(f"*/{SUBJECT_FILE}")):
                found.setdefault(path.parent.name, _subject(path.parent))
        return tuple(found.values())

    def tasks(self) -> tuple[str, ...]:
        """The names of all tasks."""
        return TASKS

    def protocols(self) -> tuple[ProtocolChoice, ...]:
        """Those of the folder `protocols` here, and those that come with the rig."""
        found: dict[str, Path] = {}
        for path in known():
            found.setdefault(path.stem, path.resolve())
        return tuple(_protocol(path) for _, path in sorted(found.items()))

    def check(self, request: SessionRequest) -> Checked:
        """What a request would do, in the words of `rodent-rig check`, or what is wrong.

        Baselines are not read here: it says which would have to be, for `check_files`.
        """
        from stim.protocol.explain import explain

        if request.protocol is None:
            return Checked(mistakes="Choose a protocol.")
        try:
            tree = read_protocol(read_text(request.protocol), str(request.protocol))
        except UserError as problem:
            return Checked(mistakes=str(problem))
        said = Checked(
            subject=_text(tree, "subject", request),
            task=_text(tree, "task", request),
            parameters=tree.parameters,
        )
        try:
            changed = _changed(tree, request)
            protocol = check_tree(changed, False)
            _check_numbers(request)
        except (UserError, RunError) as problem:
            return replace(said, mistakes=str(problem))
        sound = self._baselines.has(protocol)
        return replace(
            said,
            words=explain(protocol),
            name=protocol.name,
            seed=protocol.seed,
            duration_s=protocol.duration_s,
            trials=protocol.trials,
            unread=() if sound else tuple(each.path.name for each in protocol.baselines.values()),
        )

    def check_files(self, request: SessionRequest) -> str:
        """What is wrong with the baselines of a request's protocol; "" where nothing is."""
        try:
            tree = _tree(request)
            self._baselines.check(tree, check_tree(tree, False))
        except (UserError, RunError) as problem:
            return str(problem)
        return ""

    def start(self, request: SessionRequest) -> str:
        """Starts a session in processes of its own, and returns its name.

        Raises:
            UserError: the protocol has mistakes, or a baseline does not have what it needs.
            RunError: it could not be started.
        """
        from rig.session.process import start_detached

        protocol = self._load(request)
        spec, directory = prepare_session(protocol, self._run_options(request, protocol.name))
        start_detached(spec, directory, 30.0)
        return directory.session

    def _load(self, request: SessionRequest) -> Protocol:
        if request.protocol is None:
            raise UserError("No protocol is chosen.")
        _check_numbers(request)
        allowed = execution_allowed(request.protocol, self._allow_python)
        return check_tree(_tree(request), allowed)

    def _run_options(self, request: SessionRequest, name: str) -> RunOptions:
        return replace(
            self._options,
            record=_recording(request, name),
            seed=request.seed,
            pace=Pace(request.pace),
            duration_s=request.duration_s,
            trials=request.trials,
            animal=request.animal,
            notes=request.notes,
            clips_in=request.clips_in,
        )


def _recording(request: SessionRequest, name: str) -> Path | None:
    """The file of a recording from the first tick on, after animal, protocol and time."""
    folder = request.record_in
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UserError(
            f"No recording can be made in {folder}: {reason(problem)}. Choose another folder for "
            "recordings, or do not record from the first tick."
        ) from None
    return folder / recording_name("-".join(part for part in (request.animal, name) if part))


def _tree(request: SessionRequest) -> ProtocolTree:
    path = request.protocol
    assert path is not None
    return _changed(read_protocol(read_text(path), str(path)), request)


def _changed(tree: ProtocolTree, request: SessionRequest) -> ProtocolTree:
    """A protocol's tree with what a request has otherwise."""
    tree = with_subject_and_task(tree, request.subject, request.task)
    return with_settings(tree, request.parameters)


def _check_numbers(request: SessionRequest) -> None:
    """Raises `UserError` for numbers that no session can have."""
    if request.seed is not None and not 0 <= request.seed < 2**63:
        raise UserError("A seed is a whole number from 0 to 2^63 - 1.")
    if request.duration_s is not None and not 0.02 <= request.duration_s <= 1e6:
        raise UserError("A session lasts at least one tick, 0.02 s, and at most a million seconds.")
    if request.trials is not None and not 1 <= request.trials <= 1_000_000:
        raise UserError("A session has 1 to 1000000 trials.")
    check_said(request.animal, request.notes)


def _text(tree: ProtocolTree, key: str, request: SessionRequest) -> str:
    """What a protocol says under a key; where that is a parameter, the parameter's value."""
    node = tree.root.get(key)
    if node is None or node.form != "text":
        return ""
    word = str(node.value)
    values = {**tree.parameters, **request.parameters}
    return values.get(word[1:], word) if word.startswith("$") else word


def _subject(folder: Path) -> SubjectChoice:
    try:
        card = (folder / "card.md").read_text(errors="replace")
    except OSError:
        return SubjectChoice(folder.name, "")
    lines = [line for line in card.splitlines() if line.strip() and not line.startswith("#")]
    picture = re.search(r"!\[[^\]]*\]\(([^)]+)\)", card)
    path = folder / picture.group(1) if picture else None
    return SubjectChoice(folder.name, lines[0] if lines else "", path)


def _protocol(path: Path) -> ProtocolChoice:
    """What a file says of itself, quickly: what is wrong with it is said when it is chosen."""
    try:
        text = read_text(path)
        yaml = header_of(text, str(path))[0] if is_script(str(path)) else text
    except UserError:
        return ProtocolChoice(path, path.stem, "")
    said = Unfinished(yaml).root.entries
    name, about = (str(said.get(key) or "").strip() for key in ("protocol", "description"))
    return ProtocolChoice(path, name or path.stem, " ".join(about.split()))
