"""Reading a protocol file into a tree in which every value knows its line and column.

The YAML is read event by event with a safe, pure parser and turned into `Node`s here, for three reasons.
Errors need positions. A word is a word: YAML 1.1 reads the key `on` as true, and `on` is how a rule
begins. And a hostile file (endless, deeply nested, full of aliases that multiply) has to be refused by a
sentence, which is easiest before anything is built from it.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from rig.errors import UserError
from stim.protocol.mistakes import Mistake, ProtocolError

PARAMETER = re.compile(r"^\$[A-Za-z][A-Za-z0-9_-]{0,39}$")
"""A value that stands for one of the file's `parameters`."""
MAX_BYTES = 512 * 1024
MAX_DEPTH = 16
MAX_NODES = 60_000
MAX_PROBLEMS = 50
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d{1,18}")
_COMMA = re.compile(r"[-+]?\d+,\d+")
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|nan|infinity)", re.IGNORECASE)
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class Node:
    """A value of the file with its place (line and column count from 1).

    `form` is "nothing", "truth", "number", "text", "list" or "mapping", and `value` accordingly None,
    bool, int or float, str, a tuple of nodes, or a dict from key to node; `keys` are then the nodes of the
    keys themselves. `span` is where a scalar stands in the text, as indices of its first character and of
    the one behind its last.
    """

    form: str
    value: Any
    line: int
    column: int
    keys: Mapping[str, Node] = field(default_factory=dict)
    span: tuple[int, int] = (0, 0)

    def get(self, key: str) -> Node | None:
        """The value of a key, None where this is not a mapping or has no such key."""
        return self.value.get(key) if self.form == "mapping" else None

    def shown(self) -> str:
        """The value as a short phrase for a message."""
        if self.form == "text":
            point = (
                f" (write {self.value.replace(',', '.')})" if _COMMA.fullmatch(self.value) else ""
            )
            return f"the text {shorten(self.value)}{point}"
        if self.form == "number":
            return f"{self.value:g}" if isinstance(self.value, float) else f"{self.value}"
        if self.form == "truth":
            return "true" if self.value else "false"
        shown = {"nothing": "nothing", "list": "a list", "mapping": "a mapping"}
        return shown.get(self.form, "an unknown value")


Place: TypeAlias = Node | tuple[int, int]


class Problems:
    """What is wrong with a file: every line `path:line:column: sentence`, all of them at once.

    `first_line` is where in the file the text begins whose lines are counted from 1.
    """

    def __init__(self, path: str, first_line: int = 1) -> None:
        self._path = path
        self._offset = first_line - 1
        self._found: list[Mistake] = []

    def add(self, place: Place, sentence: str) -> None:
        """Notes a problem at a node or a (line, column)."""
        line, column = (place.line, place.column) if isinstance(place, Node) else place
        self._found.append(Mistake(line + self._offset, column, sentence))

    def __len__(self) -> int:
        return len(self._found)

    def copy(self) -> Problems:
        """The same problems, to add more without changing these."""
        other = Problems(self._path, self._offset + 1)
        other._found = list(self._found)
        return other

    def raise_if_any(self) -> None:
        """Raises `ProtocolError` with all problems in the order of the file."""
        if not self._found:
            return
        ordered = sorted(set(self._found))
        if len(ordered) > MAX_PROBLEMS:
            first = ordered[MAX_PROBLEMS]
            more = len(ordered) - MAX_PROBLEMS
            words = f"and from here on {more} more"
            ordered[MAX_PROBLEMS:] = [Mistake(first.line, first.column, words)]
        raise ProtocolError(self._path, ordered)


def shorten(text: str, longest: int = 40) -> str:
    """A text in quotes, cut where it is long, safe to print on one line."""
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


def suggestion(name: str, valid: Iterable[str], noun: str = "names") -> str:
    """The end of a sentence about an unknown name: the nearest valid one, or a list of those that there are.

    Args:
        name: the unknown one.
        valid: the names that there are.
        noun: what they are, in the plural.
    """
    names = list(valid)
    lowered = {candidate.lower(): candidate for candidate in reversed(names)}
    near = difflib.get_close_matches(name[:60].lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lowered[near[0]]!r}?"
    if not names:
        return f"there are no {noun}"
    listed = ", ".join(names[:16]) + (", …" if len(names) > 16 else "")
    return f"the {noun} are {listed}" if len(names) > 1 else f"there is only {listed}"


def read_text(path: Path) -> str:
    """The text of a protocol file; raises `UserError` if there is none, or too much, or not text."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not a file; a protocol is a YAML file.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        siblings = [other.name for other in _siblings(path)]
        near = suggestion(path.name, siblings, "protocols there") if siblings else ""
        raise UserError(
            f"There is no protocol file {path}" + (f"; {near}" if near else ".")
        ) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UserError(f"The protocol file {path} cannot be read: {reason}.") from None
    return decode_text(data, str(path))


def decode_text(data: bytes, path: str) -> str:
    """The text in these bytes, which have to be UTF-8 and at most `MAX_BYTES`."""
    problems = Problems(path)
    if len(data) > MAX_BYTES:
        problems.add(
            (1, 1), f"the file is larger than {MAX_BYTES // 1024} kB, too large for a protocol"
        )
    try:
        return data[:MAX_BYTES].decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if not len(problems):
            before = data[: problem.start]
            line = before.count(b"\n") + 1
            column = problem.start - (before.rfind(b"\n") + 1) + 1
            problems.add((line, column), "the file is not UTF-8 text; save it as UTF-8")
        return ""
    finally:
        problems.raise_if_any()


def read_tree(text: str, problems: Problems) -> Node | None:
    """The file as a tree of nodes; None, with at least one problem noted, where it is not YAML at all.

    Notes duplicate keys, tags, anchors, aliases, further documents, and whatever exceeds the limits.
    """
    if len(text) > MAX_BYTES:
        problems.add(
            (1, 1), f"the file is larger than {MAX_BYTES // 1024} kB, too large for a protocol"
        )
        return None
    try:
        return _Builder(problems).build(
            YAML(typ="safe", pure=True).parse(text.removeprefix("\ufeff"))
        )
    except _TooMuch as problem:
        problems.add(problem.place, str(problem))
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problems.add(place, _syntax(problem))
    except ReaderError as problem:
        before = text[: problem.position] if isinstance(problem.position, int) else ""
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        problems.add(place, "there is a character here that YAML does not allow in a file")
    except (
        YAMLError,
        ValueError,
        RecursionError,
        AttributeError,
        IndexError,
        TypeError,
    ) as problem:
        # The parser trips over some malformed directives and marks with exceptions of its own.
        reason = str(problem).strip().splitlines() or [type(problem).__name__]
        problems.add((1, 1), f"this is not a YAML file: {reason[0][:120]}")
    return None


class _TooMuch(Exception):
    def __init__(self, place: tuple[int, int], sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class _Builder:
    """Nodes from parser events, by recursion that the depth limit bounds."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._nodes = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        tree: Node | None = None
        documents = 0
        for event in events:
            kind = _kind(event)
            if kind == "DocumentStart":
                documents += 1
                if documents > 1:
                    raise _TooMuch(
                        _place(event), "a protocol file holds one document: remove this '---'"
                    )
            elif kind in ("Scalar", "SequenceStart", "MappingStart", "Alias"):
                tree = self._node(event, events, 1)
        if tree is None:
            self._problems.add(
                (1, 1), "the file is empty; a protocol begins with `protocol: its-name`"
            )
        return tree

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._nodes += 1
        place = _place(event)
        if self._nodes > MAX_NODES:
            raise _TooMuch(
                place, f"the file has more than {MAX_NODES} values, too many for a protocol"
            )
        if depth > MAX_DEPTH:
            raise _TooMuch(place, f"the file is nested deeper than {MAX_DEPTH} levels")
        kind = _kind(event)
        if kind == "Alias" or getattr(event, "anchor", None):
            self._problems.add(
                place,
                "anchors and aliases (& and *) are not used in protocols; write the value out",
            )
        if getattr(event, "tag", None):
            self._problems.add(
                place, f"tags are not used in protocols: remove {str(event.tag)[:40]!r}"
            )
        if kind == "SequenceStart":
            items = []
            for inner in events:
                if _kind(inner) == "SequenceEnd":
                    break
                items.append(self._node(inner, events, depth + 1))
            return Node("list", tuple(items), *place)
        if kind == "MappingStart":
            return self._mapping(place, events, depth)
        if kind != "Scalar":
            return Node("nothing", None, *place)
        span = (event.start_mark.index, event.end_mark.index)
        return dataclasses.replace(_scalar(event, place), span=span)

    def _mapping(self, place: tuple[int, int], events: Iterator[Any], depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        for event in events:
            if _kind(event) == "MappingEnd":
                break
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if _kind(event) != "Scalar":
                self._problems.add(key, f"a key has to be a word, not {key.shown()}")
                continue
            name = str(event.value)
            if name in keys:
                first = keys[name]
                self._problems.add(
                    key, f"the key {shorten(name)} is already given in line {first.line}"
                )
                continue
            keys[name] = key
            values[name] = value
        return Node("mapping", values, *place, keys)


def _scalar(event: Any, place: tuple[int, int]) -> Node:
    text = str(event.value)
    if event.style:  # quoted or block text is text, whatever it looks like
        return Node("text", text, *place)
    if text in ("", "~", "null", "Null", "NULL"):
        return Node("nothing", None, *place)
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return Node("truth", text.lower() == "true", *place)
    if _WHOLE.fullmatch(text):
        return Node("number", int(text), *place)
    if _NOT_FINITE.fullmatch(text):
        return Node("number", float(text.lower().replace(".", "")), *place)
    if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        return Node("number", float(text), *place)
    return Node("text", text, *place)


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax(problem: MarkedYAMLError) -> str:
    what = " ".join(str(problem.problem or "").split())
    if "'\\t'" in what:
        return "a tab cannot be used here; indent with spaces"
    if what.startswith("expected <block end>"):
        return "this is not YAML: the line is not indented as those that it belongs to"
    context = " ".join(str(problem.context or "").split())
    said = ", ".join(part[:120] for part in (context, what) if part)
    return f"this is not YAML: {said or 'it cannot be read'}"


def with_values(tree: Node) -> Node:
    """The tree with the file's `parameters` in the places of the values `$name` that stand for them.

    Where there is no such parameter, the node's form becomes "unknown" and its value the complaint.
    """
    section = tree.get("parameters")
    values = section.value if section is not None and section.form == "mapping" else {}

    def filled(node: Node) -> Node:
        if node.form == "list":
            return dataclasses.replace(node, value=tuple(filled(each) for each in node.value))
        if node.form == "mapping":
            inner = {key: filled(each) for key, each in node.value.items()}
            return dataclasses.replace(node, value=inner)
        if node.form != "text" or not PARAMETER.match(node.value):
            return node
        name = node.value[1:]
        if name not in values:
            near = suggestion(name, values, "parameters")
            complaint = f"there is no parameter {shorten(name)}; {near}"
            return dataclasses.replace(node, form="unknown", value=complaint)
        return dataclasses.replace(values[name], line=node.line, column=node.column)

    if tree.form != "mapping":
        return tree
    inner = {key: each if key == "parameters" else filled(each) for key, each in tree.value.items()}
    return dataclasses.replace(tree, value=inner)


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.glob("*.yaml"))[:200]
    except OSError:
        return []
