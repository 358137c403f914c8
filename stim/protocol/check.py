"""Checking a file's tree against the description of its keys: every mistake noted, each at its place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from stim.protocol.kinds import (
    Keys,
    Kind,
    ListOf,
    Named,
    Number,
    OneOf,
    Reference,
    Text,
    Truth,
    Union,
)
from stim.protocol.source import Node, Problems, shorten, suggestion

Names = Mapping[str, Sequence[str] | None]
"""The valid names of each sort of `Reference`; None where they are not known and any will do."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
"""A name of the user's own choice."""
_FORMS: Mapping[type, str] = {
    Number: "number",
    Text: "text",
    Truth: "truth",
    OneOf: "text",
    Reference: "text",
    ListOf: "list",
    Keys: "mapping",
    Named: "mapping",
}


def check(node: Node, kind: Kind, label: str, names: Names, problems: Problems) -> None:
    """Notes everything about a node that is not as its kind allows.

    Args:
        node: a value of the file.
        kind: what may stand there.
        label: what messages call it, such as "'units'".
        names: that references may use.
        problems: where mistakes are noted.
    """
    if node.form == "unknown":
        problems.add(node, str(node.value))
        return
    if isinstance(kind, Union):
        fitting = [each for each in kind.kinds if _form(each) == node.form]
        if fitting:
            check(node, fitting[0], label, names, problems)
        else:
            expected = ", or ".join(dict.fromkeys(_described(each) for each in kind.kinds))
            problems.add(node, f"{label} has to be {expected}, not {node.shown()}")
        return
    if node.form == "nothing" and _may_be_empty(kind):
        return
    if node.form != _FORMS[type(kind)]:
        hint = "; put it in quotes" if isinstance(kind, Text) and node.form == "number" else ""
        problems.add(node, f"{label} has to be {_described(kind)}, not {node.shown()}{hint}")
    elif isinstance(kind, Number):
        _check_number(node, kind, label, problems)
    elif isinstance(kind, Text):
        _check_text(node, kind, label, problems)
    elif isinstance(kind, OneOf):
        if node.value not in kind.words:
            near = suggestion(node.value, kind.words, "choices")
            problems.add(node, f"{label} cannot be {shorten(node.value)}; {near}")
    elif isinstance(kind, Reference):
        valid = names.get(kind.to)
        if valid is not None and node.value not in valid:
            noun = _noun(kind)
            near = suggestion(node.value, valid, _plural(noun))
            problems.add(node, f"there is no {noun} {shorten(node.value)}; {near}")
    elif isinstance(kind, ListOf):
        if not kind.shortest <= len(node.value) <= kind.longest:
            problems.add(
                node,
                f"{label} has {len(node.value)} entries; it has to have {kind.shortest} to {kind.longest}",
            )
        for place, item in enumerate(node.value[: kind.longest], 1):
            check(item, kind.item, f"entry {place} of {label}", names, problems)
    elif isinstance(kind, Keys):
        _check_keys(node, kind, names, problems)
    elif isinstance(kind, Named):
        _check_named(node, kind, names, problems)


def _check_number(node: Node, kind: Number, label: str, problems: Problems) -> None:
    unit = f" {kind.unit}" if kind.unit else ""
    if not math.isfinite(node.value):
        problems.add(node, f"{label} has to be a finite number")
    elif kind.whole and node.value != math.floor(node.value):
        problems.add(node, f"{label} is {node.shown()}; it has to be a whole number")
    elif not kind.low <= node.value <= kind.high:
        problems.add(
            node,
            f"{label} is {node.shown()}{unit}; it has to be from {kind.low:.15g} to {kind.high:.15g}{unit}",
        )


def _check_text(node: Node, kind: Text, label: str, problems: Problems) -> None:
    if not node.value.strip():
        problems.add(node, f"{label} is empty")
    elif len(node.value) > kind.longest:
        problems.add(node, f"{label} is longer than {kind.longest} characters")
    elif not all(each.isprintable() or each in "\n\t" for each in node.value):
        problems.add(node, f"{label} has a character that cannot be shown; leave it out")


def _check_keys(node: Node, kind: Keys, names: Names, problems: Problems) -> None:
    for name, key_node in node.keys.items():
        if name in kind.keys:
            check(node.value[name], kind.keys[name].kind, f"'{name}'", names, problems)
        else:
            near = suggestion(name, kind.keys, "keys here")
            problems.add(key_node, f"unknown key {shorten(name)} in {kind.noun}; {near}")
    for name, key in kind.keys.items():
        if key.required and name not in node.value:
            problems.add(node, f"{kind.noun} needs the key '{name}': {_begin_low(key.meaning)}")
    if kind.variants:
        _check_variant(node, kind, problems)


def _check_variant(node: Node, kind: Keys, problems: Problems) -> None:
    present = [name for name in node.keys if name in kind.variants]
    if not present:
        either = " or ".join(f"'{name}'" for name in kind.variants)
        problems.add(node, f"{kind.noun} needs {either}")
        return
    for extra in present[1:]:
        problems.add(node.keys[extra], f"'{present[0]}' and '{extra}' exclude each other; keep one")
    for key in kind.variants[present[0]].needs:
        if key not in node.value:
            meaning = _begin_low(kind.keys[key].meaning)
            problems.add(node, f"{present[0]} needs the key '{key}': {meaning}")
    for key, key_node in node.keys.items():
        owners = kind.belongs_to(key)
        if owners and present[0] not in owners:
            problems.add(key_node, f"'{key}' does not belong to {present[0]}")


def _check_named(node: Node, kind: Named, names: Names, problems: Problems) -> None:
    if len(node.value) > kind.longest:
        problems.add(
            node, f"there are {len(node.value)} {kind.noun}; at most {kind.longest} are possible"
        )
    for name, key_node in list(node.keys.items())[: kind.longest]:
        if not NAME.fullmatch(name):
            problems.add(
                key_node,
                f"{shorten(name)} cannot be a name; use a letter, then letters, digits, - and _ (40 at most)",
            )
        check(node.value[name], kind.value, f"'{shorten(name)[1:-1]}'", names, problems)


def _form(kind: Kind) -> str:
    return _FORMS.get(type(kind), "")


def _may_be_empty(kind: Kind) -> bool:
    return isinstance(kind, Named) or (isinstance(kind, ListOf) and kind.shortest == 0)


def _described(kind: Kind) -> str:
    match kind:
        case Number():
            return "a whole number" if kind.whole else "a number"
        case OneOf(words):
            return " or ".join(f"'{word}'" for word in words)
        case Reference():
            return f"the name of a {_noun(kind)}"
        case Truth():
            return "true or false"
        case ListOf():
            return "a list"
        case Keys(_, keys):
            listed = [f"'{name}'" for name in (kind.variants or keys)]
            joint = " or " if kind.variants else ", "
            return f"a mapping with {joint.join(listed)}"
        case Named():
            return "a mapping of names"
        case _:
            return "text"


def _noun(kind: Reference) -> str:
    return "behaviour" if kind.to == "detected" else kind.to


def _plural(word: str) -> str:
    return {"stimulus": "stimuli"}.get(word, word + "s")


def _begin_low(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")
