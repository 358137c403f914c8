"""Reading a protocol file while it is being written: what it says so far, and where in it the cursor is.

`stim.protocol.source` reads whole files and refuses what is not YAML. A file under the cursor hardly ever
is: a key has no value yet, a bracket is not closed. Here it is read by indentation and brackets alone, line
by line, and nothing is refused; what comes out is good enough to say which keys and names may stand where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from stim.protocol.source import Node

_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?""")
_PLAIN = re.compile(r"(?:[^\s:#]|:(?!\s|$)|(?<!\s)#|\s+(?![\s#]|$))+")
_PLAIN_IN_FLOW = re.compile(
    r"(?:[^\s:#,\[\]{}]|:(?![\s,\[\]{}]|$)|(?<!\s)#|[ \t]+(?![\s#,\[\]{}]|$))+"
)
_BLOCK_TEXT = re.compile(r"[|>][-+0-9]*")
_TOP_KEY = re.compile(r"[A-Za-z_]\w*\s*:(\s|$)")


@dataclass
class Part:
    """A mapping or a list of the file, as far as it is written.

    `entries` of a mapping are values by key, of a list its items: texts, further parts, or None where nothing
    is written. `key` is the one whose value is being read, None between two entries. `column` is where a part
    begins that is written by indentation.
    """

    form: str
    column: int
    flow: bool = False
    entries: dict[str, Any] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)
    key: str | None = None

    def put(self, value: object) -> None:
        """Gives the value of the present key, or the present item."""
        if self.form == "list":
            if self.items:
                self.items[-1] = value
        elif self.key is not None:
            self.entries[self.key] = value

    def present(self) -> object:
        """The value of the present key, or the present item; None where nothing is written yet."""
        if self.form == "list":
            return self.items[-1] if self.items else None
        return self.entries.get(self.key) if self.key is not None else None


@dataclass(frozen=True)
class Cursor:
    """Where in the file the cursor is.

    Attributes:
        path: keys, and indices in lists, down to the mapping whose key is written, or to the value.
        form: "key", "value", "either" on a line of its own, or "none" where nothing is to be completed.
        word: what is written from `start` up to the cursor.
        start: the column, from 0, where the word begins.
        part: the mapping whose key is written; None for a value.
        whole: the word to its end, also behind the cursor.
    """

    path: tuple[str | int, ...] = ()
    form: str = "none"
    word: str = ""
    start: int = 0
    part: Part | None = None
    whole: str = ""


@dataclass(frozen=True)
class _Token:
    kind: str  # "-", ":", "{", "}", "[", "]", "," or "word"
    text: str
    start: int
    end: int


class Unfinished:
    """A protocol's text, read as far as it goes.

    Args:
        text: of the file.
        line, column: of the cursor, counted from 0.

    Attributes:
        root: the file's mapping.
        cursor: where the cursor is in it.
    """

    def __init__(self, text: str, line: int = -1, column: int = 0) -> None:
        self.root = Part("mapping", 0)
        self.cursor = Cursor()
        self._stack = [self.root]
        self._block_text = -1
        self._lines: list[str] = []  # of the text of several lines that is being read
        self._given = False  # whether the value that is being read has been written
        self._keyed = False  # whether the line has a key
        self._marked = True  # whether the cursor's place is known, or not in this line
        self._read_to = 0  # where in the line the last token ends
        for number, written in enumerate(text.split("\n")):
            self._read_line(written.rstrip("\r"), column if number == line else -1)
        self._end_block_text()

    def tree(self) -> Node:
        """What is written, as nodes without places."""
        return _node(self.root)

    # --- lines ----------------------------------------------------------------------------------------

    def _read_line(self, written: str, cursor: int) -> None:
        indent = len(written) - len(written.lstrip(" "))
        blank = not written.strip()
        if self._block_text >= 0:
            if blank or indent > self._block_text:
                self._lines.append(written.strip())
                return
            self._end_block_text()
        if self._in_flow and _TOP_KEY.match(written):
            self._leave_flow()  # a bracket that was never closed
        self._keyed = False
        if not self._in_flow:
            self._given = False
            if blank or written.lstrip().startswith("#"):
                if cursor >= 0 and (blank or cursor <= indent):
                    self._close_to(cursor, dash=False)
                    self._mark("", cursor, "")
                return
        tokens = list(self._tokens(written, indent))
        self._marked = cursor < 0
        for place, token in enumerate(tokens):
            following = tokens[place + 1].kind if place + 1 < len(tokens) else ""
            inside = token.kind == "word" and token.start <= cursor <= token.end
            if not self._marked and (inside or cursor <= token.start):
                if inside and not self._in_flow:
                    self._begin(token, tokens[:place])
                elif place == 0 and not self._in_flow:
                    self._close_to(cursor, dash=token.kind == "-")
                if inside:
                    before = token.text[: cursor - token.start]
                    self._mark(before, token.start, token.text, is_key=following == ":")
                else:
                    self._mark("", cursor, "")
                self._marked = True
            self._take(token, following, tokens[:place])
        if not self._marked and not self._comment_before(written, cursor):
            glued = bool(tokens) and tokens[-1].kind == ":" and cursor == tokens[-1].end
            if not glued:
                self._mark("", cursor, "")

    def _end_block_text(self) -> None:
        if self._block_text >= 0:
            self._stack[-1].put(" ".join(" ".join(self._lines).split()))
            self._block_text = -1
            self._lines = []

    def _comment_before(self, written: str, cursor: int) -> bool:
        """Whether the cursor is in a comment at the line's end."""
        end = self._read_to
        return "#" in written[end:cursor]

    def _tokens(self, written: str, indent: int) -> Iterator[_Token]:
        """The tokens of a line; whether it is within brackets changes as they are taken."""
        place, leading = indent, True
        depth = sum(part.flow for part in self._stack)
        self._read_to = place
        while place < len(written):
            character = written[place]
            if character in " \t":
                place += 1
                continue
            if character == "#" and (place == 0 or written[place - 1] in " \t"):
                break
            flow = depth > 0
            after = written[place + 1 : place + 2]
            if leading and not flow and character == "-" and after in ("", " "):
                token = _Token("-", "-", place, place + 1)
            elif character == ":" and (after in ("", " ", "\t") or (flow and after in ",[]{}")):
                token = _Token(":", ":", place, place + 1)
            elif character in "{[" or (flow and character in "}],"):
                token = _Token(character, character, place, place + 1)
                depth = max(depth + (character in "{[") - (character in "}]"), 0)
            else:
                token = _word(written, place, flow)
            leading = leading and token.kind == "-"
            place = self._read_to = token.end
            yield token

    # --- tokens ---------------------------------------------------------------------------------------

    @property
    def _in_flow(self) -> bool:
        return self._stack[-1].flow

    def _leave_flow(self) -> None:
        while self._in_flow:
            self._stack.pop()

    def _close_to(self, column: int, dash: bool) -> None:
        """Ends the parts that a line which begins at this column does not belong to."""
        while len(self._stack) > 1:
            top = self._stack[-1]
            if top.column > column or (top.column == column and top.form == "list" and not dash):
                self._stack.pop()
            else:
                return

    def _begin(self, token: _Token, before: list[_Token]) -> None:
        """A line by indentation begins with this token, or goes on with it after dashes."""
        if not any(each.kind != "-" for each in before):
            self._close_to(token.start, dash=token.kind == "-")

    def _take(self, token: _Token, following: str, before: list[_Token]) -> None:
        if self._in_flow:
            self._take_in_flow(token, following)
            return
        if token.kind == "-":
            self._begin(token, before)
            top = self._stack[-1]
            if top.form != "list" or top.column != token.start:
                top = self._push(Part("list", token.start))
            top.items.append(None)
        elif token.kind == "word" and following == ":":
            self._begin(token, before)
            top = self._stack[-1]
            if top.form != "mapping" or top.column != token.start:
                top = self._push(Part("mapping", token.start))
            top.key = _unquoted(token.text)
            top.entries.setdefault(top.key, None)
            self._given, self._keyed = False, True
        elif token.kind == "word":
            if _BLOCK_TEXT.fullmatch(token.text):
                self._block_text = self._stack[-1].column
            if self._stack[-1].present() is None:
                self._stack[-1].put(_unquoted(token.text))
            self._given = True
        elif token.kind in "{[":
            self._push(Part("mapping" if token.kind == "{" else "list", token.start, flow=True))
            if token.kind == "[":
                self._stack[-1].items.append(None)

    def _take_in_flow(self, token: _Token, following: str) -> None:
        top = self._stack[-1]
        if token.kind == "word":
            if following == ":" and top.form == "mapping" and top.key is None:
                top.key = _unquoted(token.text)
                top.entries.setdefault(top.key, None)
                self._given = False
            else:
                if top.form == "mapping" and top.key is None:
                    top.entries.setdefault(_unquoted(token.text), None)
                top.put(_unquoted(token.text))
                self._given = True
        elif token.kind == ",":
            top.key, self._given = None, False
            if top.form == "list":
                top.items.append(None)
        elif token.kind in "{[":
            self._push(Part("mapping" if token.kind == "{" else "list", token.start, flow=True))
            self._given = False
            if token.kind == "[":
                self._stack[-1].items.append(None)
        elif token.kind in "}]":
            wanted = "mapping" if token.kind == "}" else "list"
            while self._in_flow:
                if self._stack.pop().form == wanted:
                    break
            self._given = True

    def _push(self, part: Part) -> Part:
        self._stack[-1].put(part)
        self._stack.append(part)
        return part

    # --- the cursor -----------------------------------------------------------------------------------

    def _mark(self, word: str, start: int, whole: str, is_key: bool = False) -> None:
        """Notes that the cursor is here, before this word is taken."""
        above = tuple(step for part in self._stack[:-1] for step in _steps(part))
        top = self._stack[-1]
        path = (*above, *_steps(top))
        value = top.present()
        if top.flow and top.form == "mapping" and top.key is None:
            self.cursor = Cursor(above, "key", word, start, top, whole)
        elif top.flow:
            self.cursor = Cursor(path, "none" if self._given else "value", word, start, None, whole)
        elif top.form == "mapping" and top.column == start:
            self.cursor = Cursor(above, "key", word, start, top, whole)
        elif isinstance(value, Part) and not value.flow:
            # indented a little otherwise than its neighbours: meant as one of them
            self.cursor = Cursor(path, "key", word, start, value, whole)
        elif self._given or value is not None:
            self.cursor = Cursor(path)
        elif is_key:
            self.cursor = Cursor(path, "key", word, start, None, whole)
        else:
            form = "value" if self._keyed else "either"
            self.cursor = Cursor(path, form, word, start, None, whole)


def _word(written: str, place: int, flow: bool) -> _Token:
    pattern = _QUOTED if written[place] in "\"'" else _PLAIN_IN_FLOW if flow else _PLAIN
    found = pattern.match(written, place)
    end = found.end() if found and found.end() > place else place + 1
    return _Token("word", written[place:end], place, end)


def _steps(part: Part) -> tuple[str | int, ...]:
    if part.form == "list":
        return (max(len(part.items) - 1, 0),)
    return () if part.key is None else (part.key,)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] else text


def _node(value: object) -> Node:
    if value is None:
        return Node("nothing", None, 1, 1)
    if not isinstance(value, Part):
        return Node("text", str(value), 1, 1)
    if value.form == "list":
        return Node("list", tuple(_node(each) for each in value.items if each is not None), 1, 1)
    keys = {key: Node("text", key, 1, 1) for key in value.entries}
    return Node("mapping", {k: _node(v) for k, v in value.entries.items()}, 1, 1, keys)
