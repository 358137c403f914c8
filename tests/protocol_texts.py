"""Protocol files as texts, for the tests of how they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.errors import UserError
from stim.protocol.model import Protocol
from stim.protocol.read import parse
from stim.protocol.source import read_text

PROTOCOLS = Path(__file__).parent.parent / "protocols"
SHIPPED = sorted(PROTOCOLS.glob("*.yaml"))
TASKS = ("corridor", "gaps", "forage", "escape", "two_tap")
LAYERS = {"core": 128, "policy_0": 128, "policy_1": 128, "policy_2": 128}
PLACED = re.compile(r"p\.yaml:[1-9]\d*:[1-9]\d*: \S.*")
BASE = "protocol: p\nsubject: runner\ntask: corridor\n"


def load(
    path: Path, tasks: tuple[str, ...] | None = None, layers: dict[str, int] | None = None
) -> Protocol:
    """The protocol in a file; raises `UserError` where it is none."""
    return parse(read_text(path), str(path), tasks, layers)


def read(text: str) -> Protocol:
    """The protocol that this text is; raises `UserError` where it is none."""
    return parse(text, "p.yaml", TASKS, LAYERS)


def errors(text: str) -> list[str]:
    with pytest.raises(UserError) as refused:
        read(text)
    lines = str(refused.value).splitlines()
    assert all(PLACED.fullmatch(line) for line in lines), lines
    return lines


def error(text: str) -> str:
    lines = errors(text)
    assert len(lines) == 1, lines
    return lines[0]


def stimulus(body: str) -> str:
    return f"{BASE}stimuli:\n  s: {{{body}}}\n"


def rule(body: str) -> str:
    return stimulus("clamp: core, units: all, to: 0, state: cell") + f"rules:\n  - {{{body}}}\n"
