"""Protocol files as texts, for the tests of how they are read."""

from __future__ import annotations

import re
from pathlib import Path

from stim.protocol.protocol import Protocol, parse

PROTOCOLS = Path(__file__).parent.parent / "protocols"
SHIPPED = sorted(PROTOCOLS.glob("*.yaml"))
TASKS = ("corridor", "gaps", "forage", "escape", "two_tap")
LAYERS = {"core": 128, "policy_0": 128, "policy_1": 128, "policy_2": 128}
PLACED = re.compile(r"p\.yaml:[1-9]\d*:[1-9]\d*: \S.*")
BASE = "protocol: p\nsubject: runner\ntask: corridor\n"


def read(text: str) -> Protocol:
    """The protocol that this text is; raises `UserError` where it is none."""
    return parse(text, "p.yaml", TASKS, LAYERS)
