"""The text of a protocol as one edits it: coloured, completed, with its mistakes underlined.

What may be written where, and what it means, is asked of a `gui.editor.protocol_language.ProtocolLanguage`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from PyQt6.Qsci import QsciLexerPython, QsciScintilla
from PyQt6.QtCore import QKeyCombination, QPoint, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QKeySequence, QShortcut
from PyQt6.QtWidgets import QToolTip, QWidget

from gui.editor.protocol_language import Completion, Mistake, ProtocolLanguage
from gui.editor.protocol_lexer import ProtocolLexer
from gui.look.theme import Theme, numbers_font

COMPLETE_AFTER_MS = 120
HOVER_AFTER_MS = 350
_MISTAKE = 8
"""The number of the indicator, and of the marker in the margin; QScintilla has its own below."""
_LINES, _MARKS = 0, 1
"""Margins."""
_WORD = re.compile(r""""[^"]*"?|'[^']*'?|[^\s,\[\]{}:#]+(?::(?!\s|$)[^\s,\[\]{}:#]+)*""")


class ProtocolText(QsciScintilla):
    """The editor of one text.

    `explained` carries what is to be said about the place of the cursor, or the chosen completion.
    """

    explained = pyqtSignal(str)

    def __init__(
        self, language: ProtocolLanguage, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._language = language
        self._theme = theme
        self._mistakes: tuple[Mistake, ...] = ()
        self._offered: dict[str, Completion] = {}
        self._is_python = False
        self._arrange()
        self._lexer: ProtocolLexer | QsciLexerPython | None = None
        self._give_up_keys()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(lambda: self.offer(asked=False))
        listing = QShortcut(QKeySequence("Ctrl+Space"), self)
        listing.setContext(Qt.ShortcutContext.WidgetShortcut)
        listing.activated.connect(self.offer)
        self.SCN_CHARADDED.connect(self._typed)
        self.SCN_AUTOCSELECTIONCHANGE.connect(self._chosen_changed)
        self.SCN_AUTOCCOMPLETED.connect(lambda *_: QTimer.singleShot(0, self._go_into))
        self.SCN_DWELLSTART.connect(self._hover)
        self.SCN_DWELLEND.connect(lambda *_: QToolTip.hideText())
        self.cursorPositionChanged.connect(self._explain)
        self.set_theme(theme)

    def show_text(self, text: str, is_python: bool = False) -> None:
        """Another text, which cannot be undone."""
        self._is_python = is_python
        self._lexer = None
        self.set_theme(self._theme)
        windows = "\r\n" in text
        self.setEolMode(
            QsciScintilla.EolMode.EolWindows if windows else QsciScintilla.EolMode.EolUnix
        )
        self.setText(text)
        self.SendScintilla(QsciScintilla.SCI_EMPTYUNDOBUFFER)
        self.setModified(False)
        self.show_mistakes(())

    def show_mistakes(self, mistakes: Sequence[Mistake]) -> None:
        """Underlines them."""
        self._mistakes = tuple(mistakes)
        last = self.lines() - 1
        self.clearIndicatorRange(0, 0, last, self.lineLength(last), _MISTAKE)
        self.markerDeleteAll(_MISTAKE)
        for each in mistakes:
            line = min(each.line - 1, last)
            begin, end = self._extent(each)
            self.fillIndicatorRange(line, begin, line, end, _MISTAKE)
            self.markerAdd(line, _MISTAKE)
        self._explain(*self.getCursorPosition())

    def mistakes_at(self, line: int, column: int) -> list[Mistake]:
        """Those that are underlined at a place, counted from 0."""
        found = []
        for each in self._mistakes:
            begin, end = self._extent(each)
            if each.line - 1 == line and begin <= column <= end:
                found.append(each)
        return found

    def go_to(self, mistake: Mistake) -> None:
        """Puts the cursor at a mistake."""
        line = min(mistake.line, self.lines()) - 1
        self.setCursorPosition(line, self._extent(mistake)[0])
        self.ensureLineVisible(line)
        self.setFocus()

    def offer(self, asked: bool = True) -> None:
        """Lists what may be written at the cursor; unless `asked`, only where a word has begun."""
        if self._is_python:
            return
        line, column = self.getCursorPosition()
        found = self._language.complete(self.text(), line, column)
        written = self.text(line)[found.start : column]
        before = self.text(line)[:column].rstrip(" ")
        begun = bool(written) or (before.endswith((":", "{", "[", ",")) and before != "")
        if not found.items or not (asked or begun):
            self.SendScintilla(QsciScintilla.SCI_AUTOCCANCEL)
            return
        self._offered = {each.text: each for each in found.items}
        listed = "\n".join(self._offered).encode()
        self.SendScintilla(QsciScintilla.SCI_AUTOCSHOW, len(written.encode()), listed)
        first = next(iter(self._offered))
        if not first.lower().startswith(written.lower()):  # what is written stands within it
            self.SendScintilla(QsciScintilla.SCI_AUTOCSELECT, first.encode())

    @property
    def offered(self) -> list[str]:
        """What is listed now; nothing where no list is open."""
        active = self.SendScintilla(QsciScintilla.SCI_AUTOCACTIVE)
        return list(self._offered) if active else []

    def set_theme(self, theme: Theme) -> None:
        """Recolours."""
        self._theme = theme
        font = numbers_font(10.5)
        if isinstance(self._lexer, ProtocolLexer):
            self._lexer.set_theme(theme, font)
        else:
            self._lexer = (
                _python(self, theme) if self._is_python else ProtocolLexer(self, theme, font)
            )
        self.setLexer(self._lexer)
        self.setColor(QColor(theme.text))
        self.setPaper(QColor(theme.plot))
        self.setCaretForegroundColor(QColor(theme.text))
        self.setCaretLineBackgroundColor(QColor(theme.panel))
        self.setMarginsBackgroundColor(QColor(theme.panel))
        self.setMarginsForegroundColor(QColor(theme.muted))
        self.setMarginsFont(numbers_font(9))
        self.setSelectionBackgroundColor(QColor(theme.accent))
        self.setSelectionForegroundColor(QColor(theme.on_accent))
        self.setIndicatorForegroundColor(QColor(theme.alarm), _MISTAKE)
        self.setMarkerBackgroundColor(QColor(theme.alarm), _MISTAKE)
        self.setMarkerForegroundColor(QColor(theme.alarm), _MISTAKE)
        self.setMatchedBraceBackgroundColor(QColor(theme.line))
        self.setMatchedBraceForegroundColor(QColor(theme.text))
        self.setUnmatchedBraceForegroundColor(QColor(theme.alarm))
        self.setUnmatchedBraceBackgroundColor(QColor(theme.plot))

    def _give_up_keys(self) -> None:
        """Leaves those keys to the window with which Scintilla would change lines unasked."""
        control = Qt.KeyboardModifier.ControlModifier
        letters = (Qt.Key.Key_D, Qt.Key.Key_L, Qt.Key.Key_T, Qt.Key.Key_U)
        given_up = {QKeyCombination(control, letter).toCombined() for letter in letters}
        commands = self.standardCommands()
        for command in commands.commands() if commands is not None else ():
            if command.key() in given_up:
                command.setKey(0)

    def _arrange(self) -> None:
        self.setUtf8(True)
        self.setTabWidth(2)
        self.setIndentationWidth(2)
        self.setIndentationsUseTabs(False)
        self.setTabIndents(True)
        self.setBackspaceUnindents(True)
        self.setAutoIndent(True)
        self.setBraceMatching(QsciScintilla.BraceMatch.SloppyBraceMatch)
        self.setCaretLineVisible(True)
        self.setMarginType(_LINES, QsciScintilla.MarginType.NumberMargin)
        self.setMarginWidth(_LINES, "0000")
        self.setMarginWidth(_MARKS, 12)
        self.markerDefine(QsciScintilla.MarkerSymbol.Circle, _MISTAKE)
        self.indicatorDefine(QsciScintilla.IndicatorStyle.SquiggleIndicator, _MISTAKE)
        self.setFrameShape(QsciScintilla.Shape.NoFrame)
        self.setMinimumWidth(240)
        for message, value in (
            (QsciScintilla.SCI_AUTOCSETSEPARATOR, ord("\n")),
            (QsciScintilla.SCI_AUTOCSETIGNORECASE, 1),
            (QsciScintilla.SCI_AUTOCSETORDER, QsciScintilla.SC_ORDER_CUSTOM),
            (QsciScintilla.SCI_AUTOCSETAUTOHIDE, 0),
            (QsciScintilla.SCI_AUTOCSETMAXHEIGHT, 9),
            (QsciScintilla.SCI_AUTOCSETMAXWIDTH, 56),
            (QsciScintilla.SCI_SETMOUSEDWELLTIME, HOVER_AFTER_MS),
            (QsciScintilla.SCI_SETSCROLLWIDTH, 100),
            (QsciScintilla.SCI_SETSCROLLWIDTHTRACKING, 1),
        ):
            self.SendScintilla(message, value)

    def _extent(self, mistake: Mistake) -> tuple[int, int]:
        """From which column up to which it is underlined: the word there, or what there is of the line."""
        text = self.text(min(mistake.line, self.lines()) - 1).rstrip("\r\n")
        begin = min(mistake.column - 1, max(len(text) - 1, 0))
        word = _WORD.match(text, begin)
        end = word.end() if word is not None else begin + 1
        return begin, max(end, begin + 1)

    def _typed(self, character: int) -> None:
        if chr(character) in "\n\r#":
            self._timer.stop()
        else:
            self._timer.start(COMPLETE_AFTER_MS)

    def _chosen_changed(self, text: bytes, *_: int) -> None:
        chosen = self._offered.get(bytes(text).decode(errors="replace"))
        if chosen is not None:
            self.explained.emit(
                f"{chosen.name.strip()}: {chosen.meaning}" if chosen.meaning else ""
            )

    def _go_into(self) -> None:
        """After a mapping in brackets was written, its first value is next."""
        line, column = self.getCursorPosition()
        text = self.text(line)[:column]
        opened = text.rfind("{")
        if text.endswith(":}") or (text.endswith("}") and ": ," in text[opened:]):
            first = text.find(":", opened)
            if text.endswith(":}") and first == column - 2:
                self.insertAt(" ", line, first + 1)
            self.setCursorPosition(line, first + 2)
        self.offer(asked=False)

    def _explain(self, line: int, column: int) -> None:
        if self.SendScintilla(QsciScintilla.SCI_AUTOCACTIVE):
            return
        at = self.mistakes_at(line, column)
        said = at[0].sentence if at else ""
        if not said and not self._is_python:
            said = self._language.about(self.text(), line, column)
        self.explained.emit(said)

    def _hover(self, position: int, x: int, y: int) -> None:
        if position < 0:
            return
        line, column = self.lineIndexFromPosition(position)
        found = [each.sentence for each in self.mistakes_at(line, column)]
        if not found and not self._is_python:
            found = [self._language.about(self.text(), line, column)]
        QToolTip.showText(self.mapToGlobal(QPoint(x, y)), "\n".join(filter(None, found)), self)


def _python(parent: QsciScintilla, theme: Theme) -> QsciLexerPython:
    """The colours of a protocol in Python."""
    lexer = QsciLexerPython(parent)
    plain, paper = QColor(theme.text), QColor(theme.plot)
    lexer.setDefaultColor(plain)
    lexer.setDefaultPaper(paper)
    lexer.setPaper(paper)
    lexer.setColor(plain)
    lexer.setFont(numbers_font(10.5))
    for style, colour in (
        (QsciLexerPython.Comment, theme.muted),
        (QsciLexerPython.CommentBlock, theme.muted),
        (QsciLexerPython.Keyword, theme.accent),
        (QsciLexerPython.Number, theme.warning),
        (QsciLexerPython.DoubleQuotedString, theme.good),
        (QsciLexerPython.SingleQuotedString, theme.good),
        (QsciLexerPython.TripleDoubleQuotedString, theme.good),
        (QsciLexerPython.TripleSingleQuotedString, theme.good),
        (QsciLexerPython.FunctionMethodName, theme.groups[0]),
        (QsciLexerPython.ClassName, theme.groups[0]),
    ):
        lexer.setColor(QColor(colour), style)
    return lexer
