"""Protocol files on the command line: from a path to a checked protocol, and the command `check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AllowPython, Settings
from cli.recordings import Parts, recording_of
from rig.errors import UserError
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
from stim.stimuli.baselines import BaselineUsed, Values


def check(
    protocol: Annotated[Path, typer.Argument(help="A protocol file.")] = Path(),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of protocol files instead.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="A recording (.nwb): list what would have been stimulated in it."),
    ] = None,
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
        raise UserError("Name a protocol file to check, or give --schema.")
    if against is not None:
        from analysis.detection import detect, report

        checked = load_protocol(protocol, settings, execution_allowed(protocol, allow_python))
        recording = recording_of(against, parts)
        values, _ = baselines_of(checked)
        print(report(checked, detect(checked, recording, values, checked.script)))
        return
    from stim.protocol.explain import explain

    print(explain(load_protocol(protocol, settings, allow_python)))


def load_protocol(
    path: Path, settings: Sequence[str] | None = None, allow_python: bool = False
) -> Protocol:
    """The protocol in a file, checked against its task and its subject's layers.

    Args:
        path: a YAML file, or a Python file with a `PROTOCOL`.
        settings: other values of its parameters, each "NAME=VALUE".
        allow_python: whether a Python file may be executed, for the detectors that it brings.

    Raises:
        UserError: with every mistake in it, one a line.
    """
    tree = read_protocol(read_text(path), str(path))
    return check_tree(with_settings(tree, _values_of(settings or ())), allow_python)


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
    from agent.subject import describe
    from analysis.baseline import resolve

    subject = describe(protocol.subject)
    layers = {layer.name: layer.n_units for layer in subject.layers}
    return resolve(protocol.baselines, protocol.baseline_requests, subject.sha256, layers)


def _values_of(settings: Sequence[str]) -> dict[str, str]:
    """The values of "NAME=VALUE", by name; of a name that comes twice, the last."""
    values = {}
    for each in settings:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {each}: write it as NAME=VALUE, such as units=64.")
        values[name.strip()] = value
    return values
