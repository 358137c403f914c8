"""The file behind a text that is edited: read, saved whole or not at all, and watched for other hands."""

from __future__ import annotations

from pathlib import Path

from rig.errors import RunError, UserError
from rig.output_file import check_path, reason, replacing
from rig.regular_file import open_regular

MOST_BYTES = 512 * 1024
UNTITLED = "untitled.yaml"


class ProtocolFile:
    """A protocol's file, or none yet.

    Attributes:
        path: of the file; None for a text that has not been saved.
        known: the text on disk as the user knows it: read, saved, or kept out; "" where there is no file.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.known = ""
        self._asked_about = ""

    def open(self, path: Path) -> str:
        """Reads a file, which is this one's from then on; its text.

        Raises:
            UserError: it cannot be read, or is not text.
        """
        text = read(path)
        self.path, self.known = path.resolve(), text
        return text

    def forget(self) -> None:
        """The text has no file."""
        self.path, self.known = None, ""

    def changed_on_disk(self) -> str | None:
        """The file's text where something else has changed it; None where it is as known, or gone."""
        if self.path is None or not self.path.exists():
            return None
        try:
            text = read(self.path)
        except UserError:
            text = ""
        return None if text == self.known else text

    def is_news(self) -> bool:
        """Whether something else has changed the file; each change is told once."""
        text = self.changed_on_disk()
        news = text is not None and text != self._asked_about
        if news and text is not None:
            self._asked_about = text
        return news

    def save(self, text: str, path: Path) -> None:
        """Writes the text there, so that the file is whole at any time; it is this one's from then on.

        Raises:
            UserError, RunError: it could not be written; what was there before is there still.
        """
        check_path(path)
        path = path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise RunError(f"{path.parent} cannot be made: {reason(problem)}.") from None
        with replacing(path) as partial:
            partial.write_bytes(text.encode())
        self.path, self.known = path, text


def read(path: Path) -> str:
    """The text of a file.

    Raises:
        UserError: it cannot be read, is too large for a protocol, or is not UTF-8 text.
    """
    try:
        with open_regular(path, MOST_BYTES) as file:
            return file.read().decode("utf-8-sig")
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {reason(problem)}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
