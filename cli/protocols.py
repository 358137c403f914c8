"""Protocols on the command line: from a path or a name to a checked one; `check` and `protocols`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AllowPython, Settings
from cli.recordings import Parts, recording_of
from rig.errors import UserError
from stim.protocol.find import find, known
from stim.protocol.model import Protocol
from stim.protocol.read import (
    ProtocolTree,
    check_protocol,
    is_script,
    read_protocol,
    with_settings,
)
from stim.protocol.script import execute
from stim.protocol.source import read_text
from stim.stimuli.baselines import BaselineFile, BaselineRequest, BaselineUsed, Values

if TYPE_CHECKING:
    from recorder.annotations import Annotations
    from recorder.opening import RecordingPath

Named = Annotated[
    Path, typer.Argument(help="A protocol file, or the name of one (`rodent-rig protocols`).")
]


def protocols() -> None:
    """List the protocols that can be named: yours in `protocols`, then those that ship."""
    rows = []
    for path in dict.fromkeys(known()):
        try:
            words = read_protocol(read_text(path), str(path)).root.get("description")
            about = str(words.value).strip() if words is not None else ""
        except UserError as problem:
            about = str(problem).splitlines()[0]
        rows.append((path.stem, " ".join(about.split())))
    wide = max((len(name) for name, _ in rows), default=0)
    for name, about in rows:
        print(f"{name:{wide}}  {about}".rstrip())


def check(
    protocol: Named = Path(),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of protocol files instead.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="A recording (.nwb): list what would have been stimulated in it."),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="With --against: behaviours are where people saw them (F.annotations.nwb), not where they "
            "are detected, as far as they are annotated."
        ),
    ] = None,
    channel: Annotated[
        str, typer.Option(help="The channel of --annotations; all if left out.")
    ] = "",
    parts: Parts = False,
    settings: Settings = None,
    allow_python: AllowPython = False,
) -> None:
    """Validate a protocol and say in words what it will do, and when."""
    if schema:
        import json

        from stim.protocol.schema import json_schema

        print(json.dumps(json_schema(), indent=2))
        return
    if protocol == Path():
        raise UserError("Name a protocol to check, or give --schema.")
    if annotations is not None and against is None:
        raise UserError("--annotations are of a recording: name it with --against F.nwb.")
    protocol = find(protocol)
    if against is not None:
        from analysis.detection import annotated_bouts, detect, report

        checked = load_protocol(protocol, settings, execution_allowed(protocol, allow_python))
        recording = recording_of(against, parts)
        values, _ = baselines_of(checked)
        annotated = {}
        if annotations is not None:
            own = annotations_of(annotations, recording)
            annotated = dict(annotated_bouts(own, checked, channel or None))
        print(report(checked, detect(checked, recording, values, checked.script, annotated)))
        return
    from stim.protocol.explain import explain

    print(explain(checked_text(read_text(protocol), protocol, settings, allow_python)))


def checked_text(
    text: str, path: Path, settings: Sequence[str] | None = None, allow_python: bool = False
) -> Protocol:
    """The protocol of a text, checked in all that can be known before a session.

    Args:
        text: of a protocol file, as it may not be on disk yet.
        path: of the file, for messages, and to find the files that it names.
        settings, allow_python: as for `load_protocol`.

    Raises:
        ProtocolError: with every mistake in it, each at its line and column.
        UserError: a setting cannot be one.
    """
    tree = with_settings(read_protocol(text, str(path)), values_of(settings or ()))
    protocol = check_tree(tree, allow_python)
    check_baselines(tree, protocol)
    return protocol


def annotations_of(path: Path, recording: RecordingPath) -> Annotations:
    """The annotations in a file, which are those of a recording.

    Raises `UserError` where they are not, or cannot be read.
    """
    import recorder
    from recorder.annotation_file import read_annotations
    from recorder.annotations import check_is_of

    found = read_annotations(path)
    with recorder.open(recording) as opened:
        check_is_of(path, found, opened.session)
    return found


def load_protocol(
    path: Path, settings: Sequence[str] | None = None, allow_python: bool = False
) -> Protocol:
    """The protocol in a file, checked against its task and its subject's layers.

    Args:
        path: a YAML file, a Python file with a `PROTOCOL`, or the name of a protocol.
        settings: other values of its parameters, each "NAME=VALUE".
        allow_python: whether a Python file may be executed, for the detectors that it brings.

    Raises:
        UserError: with every mistake in it, one a line.
    """
    return check_tree(read_tree_of(path, settings), allow_python)


def read_tree_of(path: Path, settings: Sequence[str] | None = None) -> ProtocolTree:
    """The tree of the protocol in a file, with other values of its parameters; as `load_protocol`."""
    path = find(path)
    tree = read_protocol(read_text(path), str(path))
    return with_settings(tree, values_of(settings or ()))


def check_baselines(tree: ProtocolTree, protocol: Protocol) -> None:
    """Raises `UserError` with every baseline that is missing, foreign or too short, at its place."""
    problems = tree.problems.copy()
    section = tree.root.get("baselines")
    for name, file in protocol.baselines.items():
        requests = [each for each in protocol.baseline_requests if each.baseline == name]
        node = section.get(name) if section is not None else None
        try:
            _resolved(protocol, {name: file}, requests)
        except UserError as problem:
            problems.add(node or (1, 1), str(problem).rstrip("."))
    problems.raise_if_any()


def reads_of(protocol: Protocol) -> tuple[Path, ...]:
    """The files and folders that a session of a protocol reads: itself, what it names, the subject."""
    from agent.subject import find as find_subject

    return (Path(protocol.path), *protocol.files, find_subject(protocol.subject))


def check_tree(tree: ProtocolTree, allow_python: bool = False) -> Protocol:
    """The protocol of a tree, checked against its task and its subject's layers; as `load_protocol`."""
    from cli.subjects import layers_of
    from rig.arenas.names import TASKS

    script = execute(tree.text, tree.path) if allow_python and is_script(tree.path) else None
    return check_protocol(tree, TASKS, layers_of, script)


def execution_allowed(path: Path, allow_python: bool) -> bool:
    """`allow_python`, where it has to be given for a file that is going to run.

    Raises:
        UserError: the protocol is a Python file, and it is not given.
    """
    if is_script(str(path)) and not allow_python:
        raise UserError(
            f"{path} is a program that could do anything you can: read it, then give --allow-python. "
            "(`rodent-rig check` without --against does not execute it.)"
        )
    return allow_python


def baselines_of(protocol: Protocol) -> tuple[Values, tuple[BaselineUsed, ...]]:
    """What the protocol needs of its baseline recordings, and which these are."""
    if not protocol.baseline_requests:
        return {}, ()
    return _resolved(protocol, protocol.baselines, protocol.baseline_requests)


def _resolved(
    protocol: Protocol, named: Mapping[str, BaselineFile], requests: Sequence[BaselineRequest]
) -> tuple[Values, tuple[BaselineUsed, ...]]:
    from agent.subject import describe
    from analysis.baseline import resolve

    subject = describe(protocol.subject)
    layers = {layer.name: layer.n_units for layer in subject.layers}
    return resolve(named, requests, subject.sha256, layers)


def values_of(settings: Sequence[str]) -> dict[str, str]:
    """The values of "NAME=VALUE", by name; of a name that comes twice, the last."""
    values = {}
    for each in settings:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {each}: write it as NAME=VALUE, such as units=64.")
        values[name.strip()] = value
    return values
