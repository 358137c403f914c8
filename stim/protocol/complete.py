"""What may be written at a place of a protocol file: its keys and names, with what they mean.

Made of the same description of keys that files are checked against (`stim.protocol.keys`) and the same names
(`stim.protocol.names`); `stim.protocol.unfinished` says where in the file the place is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rig.errors import UserError
from stim.detectors.behaviours import BEHAVIOURS
from stim.detectors.quantities import quantity_names
from stim.protocol.check import Names
from stim.protocol.keys import PROTOCOL
from stim.protocol.kinds import (
    Key,
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
from stim.protocol.names import LAYERS, valid_names
from stim.protocol.source import Node, with_values
from stim.protocol.unfinished import Cursor, Part, Unfinished

LONGEST_TEXT = 100_000
"""Characters: in a longer file nothing is offered, as reading it at every key takes too long."""
_MEANINGS = {behaviour.name: behaviour.meaning for behaviour in BEHAVIOURS}


@dataclass(frozen=True)
class Completion:
    """Something that may be written: `text` goes into the file, `name` is shown."""

    name: str
    text: str
    meaning: str


@dataclass(frozen=True)
class Completions:
    """What may be written from column `start` (from 0) on, in place of what stands there up to the cursor."""

    start: int = 0
    items: tuple[Completion, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What a file may name that is not in it.

    Attributes:
        tasks: the names of all tasks.
        subjects: those of all subjects.
        layers_of: the number of units of each layer of a subject; raises `UserError` where there is none.
    """

    tasks: Sequence[str]
    subjects: Sequence[str]
    layers_of: Callable[[str], Mapping[str, int]]


def complete(text: str, line: int, column: int, around: Surroundings) -> Completions:
    """What may be written at a place.

    >>> none = Surroundings(("corridor", "gaps"), (), lambda subject: {})
    >>> [each.name for each in complete("task: co", 0, 8, none).items]
    ['corridor']

    Args:
        text: of the file, finished or not.
        line, column: counted from 0.
        around: what the file may name.
    """
    if len(text) > LONGEST_TEXT:
        return Completions()
    unfinished = Unfinished(text, line, column)
    cursor = unfinished.cursor
    if cursor.form == "none":
        return Completions()
    tree = with_values(unfinished.tree())
    found = _found(cursor, tree, around)
    word = cursor.word.lower()
    begin = [each for each in found if each.name.lower().startswith(word)]
    inside = [each for each in found if each not in begin and word in each.name.lower()]
    listed = tuple(dict.fromkeys((*begin, *inside)))
    if [each.text for each in listed] == [cursor.word]:
        return Completions()
    return Completions(cursor.start, listed)


def about(text: str, line: int, column: int) -> str:
    """What the key, or the name, at a place means; "" where there is nothing to say."""
    if len(text) > LONGEST_TEXT:
        return ""
    cursor = Unfinished(text, line, column).cursor
    if not cursor.whole:
        return ""
    if cursor.form == "key":
        for kind in _kinds(cursor.path):
            if isinstance(kind, Keys) and cursor.whole in kind.keys:
                return _with_range(kind.keys[cursor.whole])
    name = cursor.whole.removesuffix(".onset").removesuffix(".offset")
    return _MEANINGS.get(name, "")


def _layers(tree: Node, around: Surroundings) -> Mapping[str, int] | None:
    """The units of each layer of the file's subject; None where they are not known."""
    subject = tree.get("subject")
    if subject is None or subject.form != "text":
        return None
    try:
        return around.layers_of(subject.value)
    except UserError:
        return None


def _found(cursor: Cursor, tree: Node, around: Surroundings) -> list[Completion]:
    kinds = _kinds(cursor.path)
    layers = _layers(tree, around)
    found: list[Completion] = []
    if cursor.form in ("key", "either"):
        written = _written(cursor.part, cursor.whole)
        mappings = [each for each in kinds if isinstance(each, Keys | Named)]
        found += [one for kind in mappings for one in _of_mapping(kind, cursor, written, tree)]
    if cursor.form == "key":
        return found
    names = valid_names(tree, around.tasks, layers, LAYERS)
    for kind in kinds:
        found += _values(kind, cursor.path, names, layers, around)
    if any(isinstance(kind, Number | OneOf | Reference | Text) for kind in kinds):
        parameters = tree.get("parameters")
        for name in parameters.value if parameters and parameters.form == "mapping" else ():
            found.append(Completion(f"${name}", f"${name}", "A parameter of this file."))
    return found


def _kinds(path: Iterable[str | int]) -> list[Kind]:
    """What may stand at a path, each kind that a union allows."""
    kinds = _single(PROTOCOL)
    for step in path:
        below: list[Kind] = []
        for kind in kinds:
            if isinstance(kind, Keys) and isinstance(step, str) and step in kind.keys:
                below += _single(kind.keys[step].kind)
            elif isinstance(kind, Named) and isinstance(step, str):
                below += _single(kind.value)
            elif isinstance(kind, ListOf) and isinstance(step, int):
                below += _single(kind.item)
        kinds = below
    return kinds


def _single(kind: Kind) -> list[Kind]:
    if isinstance(kind, Union):
        return [one for each in kind.kinds for one in _single(each)]
    return [kind]


def _written(part: Part | None, but: str) -> frozenset[str]:
    """The keys of a mapping, but for the one that is being written."""
    return frozenset(part.entries if part is not None else ()) - {but}


def _of_mapping(
    kind: Keys | Named, cursor: Cursor, written: frozenset[str], tree: Node
) -> list[Completion]:
    """The keys that a mapping may have besides those that it has."""
    if isinstance(kind, Named):
        names = _own_names(kind, cursor.path, tree)
        return [
            Completion(name, f"{name}: ", meaning)
            for name, meaning in names.items()
            if name not in written
        ]
    variant = next((name for name in kind.variants if name in written), None)
    found: list[tuple[int, Completion]] = []
    for name, key in kind.keys.items():
        owners = kind.belongs_to(name)
        foreign = owners and variant not in owners if variant else bool(owners)
        if name in written or foreign or (variant and name in kind.variants):
            continue
        needed = key.required or (variant is not None and name in kind.variants[variant].needs)
        rank = 0 if needed or (variant is None and name in kind.variants) else 1
        found.append((rank, Completion(name, _key_text(name, key), _with_range(key))))
    return [one for _, one in sorted(found, key=lambda each: each[0])]


def _key_text(name: str, key: Key) -> str:
    """A key as it is written: with a space where its value may stand on the same line."""
    blocks = all(isinstance(each, Named | ListOf | Keys) for each in _single(key.kind))
    return f"{name}:" if blocks else f"{name}: "


def _own_names(kind: Named, path: tuple[str | int, ...], tree: Node) -> dict[str, str]:
    """Names that one would choose in a mapping of names, and what they mean."""
    if kind.noun == "quantities":
        return dict.fromkeys(quantity_names(), "A quantity of the body state.")
    if kind.noun == "detectors":
        return _MEANINGS
    if kind.noun != "thresholds":
        return {}
    detector: Node | None = tree
    for step in path[:-1]:
        detector = detector.get(str(step)) if detector is not None else None
    of = detector.get("behaviour") if detector is not None else None
    known = next((each for each in BEHAVIOURS if of is not None and each.name == of.value), None)
    if known is None:
        return {}
    return {
        each.name: f"{each.quantity}: begins at {each.on:g}, ends at {each.off:g}"
        for each in known.thresholds
    }


def _values(
    kind: Kind,
    path: tuple[str | int, ...],
    names: Names,
    layers: Mapping[str, int] | None,
    around: Surroundings,
) -> list[Completion]:
    match kind:
        case OneOf(words):
            return [Completion(word, word, "") for word in words]
        case Truth():
            return [Completion(word, word, "") for word in ("true", "false")]
        case Reference(to):
            return [
                Completion(name, name, _of_name(to, name, layers)) for name in names.get(to) or ()
            ]
        case Text():
            return [
                Completion(name, name, _MEANINGS.get(name, ""))
                for name in _texts(path, names, around)
            ]
        case Keys() if kind.variants or any(key.required for key in kind.keys.values()):
            return _skeletons(kind)
        case _:
            return []


def _of_name(to: str, name: str, layers: Mapping[str, int] | None) -> str:
    if to == "layer" and layers is not None:
        return f"{layers[name]} units"
    behaviour, _, phase = name.rpartition(".")
    if to == "trigger" and behaviour in _MEANINGS:
        return f"{'begins' if phase == 'onset' else 'ends'} to be {_MEANINGS[behaviour]}"
    return _MEANINGS.get(name, "")


def _texts(path: tuple[str | int, ...], names: Names, around: Surroundings) -> Sequence[str]:
    """Names for texts that name something: a subject, a behaviour of a baseline, an event in it."""
    match path[-1] if path else "":
        case "subject":
            return around.subjects
        case "by" | "during" | "around":
            return names["behaviour"] or ()
        case "from" | "until":
            return (*(names["task event"] or ()), *(names["behaviour"] or ()))
        case _:
            return ()


def _skeletons(kind: Keys) -> list[Completion]:
    """A mapping in brackets, with the keys that it needs; one for each way to write it."""
    required = [name for name, key in kind.keys.items() if key.required]
    ways = {name: (name, *variant.needs) for name, variant in kind.variants.items()}
    found = []
    for name, keys in (ways or {required[0]: tuple(required)}).items():
        inside = ", ".join(f"{key}: " for key in dict.fromkeys((*keys, *required)))
        shown = "{" + ", ".join(f"{key}: …" for key in dict.fromkeys((*keys, *required))) + "}"
        found.append(Completion(shown, "{" + inside.rstrip() + "}", kind.keys[name].meaning))
    return found


def _with_range(key: Key) -> str:
    """What a key means, and the range of its number."""
    for kind in _single(key.kind):
        if isinstance(kind, Number) and (kind.unit or kind.high < 1_000_000):
            unit = f" {kind.unit}" if kind.unit else ""
            return f"{key.meaning} ({kind.low:.15g} to {kind.high:.15g}{unit})"
    return key.meaning
