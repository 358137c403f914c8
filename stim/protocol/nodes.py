"""What the parts of a protocol file are read with: sections, items, words and numbers of its tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stim.protocol.check import Names, check
from stim.protocol.kinds import Kind
from stim.protocol.source import Node, Problems


def items_of(node: Node | None) -> Sequence[Node]:
    """The items of a list; none where it is not one."""
    return node.value if node is not None and node.form == "list" else ()


def section_of(tree: Node, key: str) -> Mapping[str, Node]:
    """The values of a mapping in the tree, by name; none where it is not one."""
    node = tree.get(key)
    return node.value if node is not None and node.form == "mapping" else {}


def key_of(tree: Node, section: str, name: str) -> Node:
    """The node of a name in a section that is known to have it."""
    node = tree.get(section)
    assert node is not None
    return node.keys[name]


def is_sound(node: Node, kind: Kind, names: Names) -> bool:
    """Whether a part of the file has no mistakes of its own, and can be looked at as a whole."""
    own = Problems("")
    check(node, kind, "", names, own)
    return not len(own)


def word_of(node: Node, key: str) -> str:
    """A text that a mapping may have, "" where it has none."""
    given = node.get(key)
    return "" if given is None else str(given.value).strip()


def words_of(node: Node | None) -> tuple[str, ...]:
    """One text, or a list of them."""
    if node is None:
        return ()
    return tuple(each.value for each in node.value) if node.form == "list" else (str(node.value),)


def whole_of(node: Node, key: str) -> int | None:
    """A whole number that a mapping may have."""
    given = node.get(key)
    return None if given is None else int(given.value)


def number_of(node: Node, key: str, default: float) -> float:
    """A number that a mapping may have."""
    given = node.get(key)
    return default if given is None else float(given.value)
