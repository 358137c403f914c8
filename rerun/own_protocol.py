"""The protocol of a branch that goes on with its session's own, as it was or with a stimulus withheld."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

from rerun.protocol_sequence import Segment
from rerun.recorded_session import RecordedSession
from rig.errors import UserError
from stim.protocol.model import Protocol
from stim.protocol.read import parse


def in_force(segments: Sequence[Segment], tick: int) -> int:
    """Which of the segments of a session decides when it is left at a tick."""
    return sum(segment.first_tick < tick for segment in segments[1:])


def own_segment(
    session: RecordedSession, segments: Sequence[Segment], tick: int, without: Sequence[str] = ()
) -> tuple[Segment, Mapping[str, str]]:
    """The session's own protocol from a tick on, and the baselines that it draws on, by hash.

    Args:
        session: that is left.
        segments: what it ran under.
        tick: at which it is left.
        without: stimuli that are withheld from then on.

    Raises:
        UserError: as `with_shams`.
    """
    number = in_force(segments, tick)
    own = segments[number]
    described = session.description
    left = described.branched[number] if number < len(described.branched) else described
    layers = {layer.name: layer.n_units for layer in described.layers}
    protocol = with_shams(own.protocol, without, layers)
    return Segment(protocol, own.values, own.script, tick), left.baselines


def with_shams(
    protocol: Protocol, stimuli: Sequence[str], layers: Mapping[str, int] | None = None
) -> Protocol:
    """A protocol whose rules deliver none of these stimuli: each has a sham in its place, drawn and timed.

    Args:
        protocol: as it is.
        stimuli: by name.
        layers: units of each of the subject's layers, by name; None: not checked.

    Raises:
        UserError: it is a Python file; it has no such stimulus, or no rule delivers it.
    """
    if not stimuli:
        return protocol
    if protocol.is_script:
        raise UserError(
            f"{protocol.name} is a Python protocol, in which no stimulus can be withheld from outside; give "
            "another protocol."
        )
    delivered = {rule.do.name for rule in protocol.rules}
    for name in stimuli:
        if name not in delivered:
            raise UserError(
                f"No rule of {protocol.name} delivers {name!r}; its rules deliver "
                f"{', '.join(sorted(delivered)) or 'nothing'}."
            )
    yaml = YAML()
    yaml.width = 1 << 20  # no line is folded
    yaml.preserve_quotes = True
    tree: Any = yaml.load(protocol.text)
    for rule in tree["rules"]:
        if str(rule["do"]) in stimuli:
            rule["probability"] = 0.0
            rule["else"] = "sham"
    written = io.StringIO()
    yaml.dump(tree, written)
    return parse(written.getvalue(), protocol.path, None, layers)
