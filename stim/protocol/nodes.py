"""Helpers for reading the parts of a protocol file: its sections, items, words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stim.protocol.check import Names, check
from stim.protocol.find import named_file
from stim.protocol.kinds import Kind
from stim.protocol.source import Node, Problems


@dataclass(frozen=True)
class Context:
    """What the parts of a file are read with.

    Attributes:
        names: the valid names of each sort of reference.
        layers: the number of units of each layer of the subject; None where they are not known.
        folder: the protocol's, from which it names files.
        problems: where mistakes are noted.
        files: those that it names, noted as they are read.
    """

    names: Names
    layers: Mapping[str, int] | None
    folder: Path
    problems: Problems
    files: list[Path] = field(default_factory=list)

    def file(self, name: str) -> Path:
        """A file that the protocol names (`stim.protocol.find.named_file`); it is noted in `files`."""
        self.files.append(named_file(self.folder, name))
        return self.files[-1]

    def n_units(self, layer: str) -> int | None:
        """How many units a layer has; None where that is not known."""
        return None if self.layers is None else self.layers[layer]

    def is_valid(self, node: Node, kind: Kind) -> bool:
        """Whether a part of the file has no mistakes in itself, and can be read as a whole."""
        own = Problems("")
        check(node, kind, "", self.names, own)
        return not len(own)


def items_of(node: Node | None) -> Sequence[Node]:
    """The items of a list; none where it is not one."""
    return node.value if node is not None and node.form == "list" else ()


def section_of(tree: Node, key: str) -> Mapping[str, Node]:
    """The values of a mapping in the tree, by name; none where it is not one."""
    node = tree.get(key)
    return node.value if node is not None and node.form == "mapping" else {}


def key_of(tree: Node, section: str, name: str) -> Node:
    """The key of a name in a section of the file, as a node with its place.

    Args:
        tree: the file's.
        section: a key of the file, such as "stimuli".
        name: which the section is known to have.
    """
    node = tree.get(section)
    assert node is not None
    return node.keys[name]


def word_of(node: Node, key: str) -> str:
    """A text that a mapping may have, "" where it has none."""
    found = node.get(key)
    return "" if found is None else str(found.value).strip()


def words_of(node: Node | None) -> tuple[str, ...]:
    """One text, or a list of them."""
    if node is None:
        return ()
    return tuple(each.value for each in node.value) if node.form == "list" else (str(node.value),)


def whole_of(node: Node, key: str) -> int | None:
    """A whole number that a mapping may have."""
    found = node.get(key)
    return None if found is None else int(found.value)


def number_of(node: Node, key: str, default: float) -> float:
    """A number that a mapping may have.

    Args:
        node: the mapping.
        key: the number's.
        default: what holds where the mapping has no such key.
    """
    found = node.get(key)
    return default if found is None else float(found.value)
