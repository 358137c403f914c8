"""From the checked tree of a protocol file to what holds for its trials: conditions, latency, baselines."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stim.protocol.check import NAME
from stim.protocol.keys import BLOCK, PROTOCOL
from stim.protocol.kinds import Named
from stim.protocol.nodes import Context, items_of, number_of, section_of, word_of, words_of
from stim.protocol.source import Node, shorten
from stim.rules import Block, Latency
from stim.stimuli.baselines import BaselineFile

_SHA256 = re.compile(r"[0-9a-f]{64}")


def blocks_of(tree: Node, context: Context) -> tuple[Block, ...]:
    """The blocks of trials; notes conditions that are named twice in one."""
    blocks = []
    for node in items_of(tree.get("blocks")):
        if not context.is_valid(node, BLOCK):
            continue
        conditions = words_of(node.value["conditions"])
        for name in conditions:
            if not NAME.fullmatch(name):
                context.problems.add(
                    node.value["conditions"],
                    f"{shorten(name)} cannot be a condition's name; use a letter, then letters, digits, "
                    "- and _",
                )
        if len(set(conditions)) != len(conditions):
            context.problems.add(
                node.value["conditions"], "a condition is named twice in this block"
            )
        trials = int(node.value["trials"].value)
        order = word_of(node, "order") or "shuffled"
        if order == "shuffled" and trials % len(conditions):
            context.problems.add(
                node.value["trials"],
                f"{trials} trials cannot be shared out evenly among {len(conditions)} conditions; use a "
                "multiple, or `order: random`",
            )
        blocks.append(Block(conditions, trials, order))
    return tuple(blocks)


def latency_of(tree: Node) -> Latency:
    """The loop's emulated latency."""
    node = tree.get("loop_latency_ms")
    if node is None or node.form not in ("number", "mapping"):
        return Latency()
    if node.form == "number":
        return Latency(float(node.value))
    if any(each.form != "number" for each in node.value.values()):
        return Latency()
    return Latency(number_of(node, "mean", 0.0), number_of(node, "sd", 0.0))


def baselines_of(tree: Node, context: Context) -> Mapping[str, BaselineFile]:
    """The baseline recordings by name, as seen from the protocol's folder."""
    found = {}
    kind = PROTOCOL.keys["baselines"].kind
    if not isinstance(kind, Named):
        raise AssertionError("baselines are a mapping of names")
    for name, node in section_of(tree, "baselines").items():
        if not context.is_valid(node, kind.value):
            continue
        sha256 = word_of(node, "sha256").lower()
        if sha256 and not _SHA256.fullmatch(sha256):
            context.problems.add(
                node.value["sha256"], "a SHA-256 is 64 digits from 0 to 9 and a to f"
            )
        found[name] = BaselineFile(context.file(word_of(node, "recording")), sha256)
    return found
