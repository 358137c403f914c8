"""The colours of a protocol's text: keys, values, comments, also within brackets, where rules are written."""

from __future__ import annotations

import re

from PyQt6.Qsci import QsciLexerCustom, QsciScintilla
from PyQt6.QtGui import QColor, QFont

from gui.look.theme import Theme

PLAIN, COMMENT, KEY, TEXT, NUMBER, WORD, MARK, PARAMETER = range(8)
_NAMES = ("Plain", "Comment", "Key", "Text", "Number", "Word", "Mark", "Parameter")
_TOKEN = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#[^\n]*)
    |(?P<key>(?:"[^"\n]*"|'[^'\n]*'|[^\W\d][\w.\ -]*?)(?=\s*:(?:[\s,\]}]|$)))
    |(?P<text>"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?)
    |(?P<parameter>\$[A-Za-z][\w-]*)
    |(?P<number>(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<word>\b(?:true|false|null)\b)
    |(?P<mark>[{}\[\],:]|(?<=\s)-(?=\s)|^-(?=\s))
    |(?P<plain>[^\W\d][\w.]*)""",
    re.VERBOSE | re.MULTILINE,
)
_STYLES = {
    "comment": COMMENT,
    "key": KEY,
    "text": TEXT,
    "parameter": PARAMETER,
    "number": NUMBER,
    "word": WORD,
    "mark": MARK,
    "plain": PLAIN,
}


class ProtocolLexer(QsciLexerCustom):
    """Colours YAML as protocols use it."""

    def __init__(self, parent: QsciScintilla, theme: Theme, font: QFont) -> None:
        super().__init__(parent)
        self.set_theme(theme, font)

    def set_theme(self, theme: Theme, font: QFont) -> None:
        """Recolours."""
        colours = {
            PLAIN: theme.text,
            COMMENT: theme.muted,
            KEY: theme.accent,
            TEXT: theme.good,
            NUMBER: theme.warning,
            WORD: theme.warning,
            MARK: theme.muted,
            PARAMETER: theme.groups[3],
        }
        self.setDefaultFont(font)
        self.setDefaultColor(QColor(theme.text))
        self.setDefaultPaper(QColor(theme.plot))
        for style, colour in colours.items():
            self.setColor(QColor(colour), style)
            self.setPaper(QColor(theme.plot), style)
            self.setFont(font, style)

    def language(self) -> str:
        """What Scintilla asks for."""
        return "Protocol"

    def description(self, style: int) -> str:
        """The name of a style; "" where there is none of this number."""
        return _NAMES[style] if 0 <= style < len(_NAMES) else ""

    def styleText(self, start: int, end: int) -> None:
        """Colours a part of the text, whole lines of it (places are counted in bytes)."""
        editor = self.editor()
        if editor is None:
            return
        raw = editor.text().encode()
        start = raw.rfind(b"\n", 0, start) + 1
        text = raw[start:end].decode(errors="replace")
        self.startStyling(start)
        done = 0
        for found in _TOKEN.finditer(text):
            if found.start() > done:
                self.setStyling(len(text[done : found.start()].encode()), PLAIN)
            self.setStyling(len(found.group().encode()), _STYLES[str(found.lastgroup)])
            done = found.end()
        if done < len(text):
            self.setStyling(len(text[done:].encode()), PLAIN)
