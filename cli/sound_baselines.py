"""Which baselines have all that a protocol asks of them, remembered: to read them again takes too long."""

from __future__ import annotations

from cli.protocols import check_baselines
from stim.protocol.model import Protocol
from stim.protocol.read import ProtocolTree
from stim.stimuli.baselines import BaselineFile


class SoundBaselines:
    """Baselines that were read and found sound, as long as neither they nor what is asked of them change.

    What a window's thread and its workers ask may come at the same time.
    """

    def __init__(self) -> None:
        self._known: set[object] = set()

    def has(self, protocol: Protocol) -> bool:
        """Whether those of a protocol are known to be sound, or it has none; reads none of them."""
        return not protocol.baselines or _asked(protocol) in self._known

    def check(self, tree: ProtocolTree, protocol: Protocol) -> None:
        """Reads those of a protocol that are not known to be sound.

        Raises `UserError` with every one that is missing, foreign or too short, at its place in the tree.
        """
        asked = _asked(protocol)
        if asked not in self._known:
            check_baselines(tree, protocol)
            self._known.add(asked)


def _asked(protocol: Protocol) -> object:
    files = tuple((name, file, _stamp(file)) for name, file in protocol.baselines.items())
    return protocol.subject, protocol.baseline_requests, files


def _stamp(file: BaselineFile) -> tuple[int, int]:
    """What changes when a file does."""
    try:
        found = file.path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
