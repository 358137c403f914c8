"""The recorder: a session into one NWB file while it runs, and back out of it.

`recorder.process` is the process that a session starts; it writes with `recorder.writer` what
`recorder.layout` lays out. `recorder.open(path)` reads a recording, a growing one too, and with
`parts=True` all files of one that was rotated; `recorder.replay.ReplaySource` gives it back as the
messages that it was made from; `recorder.recover` repairs one whose recorder was killed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorder.opening import all_parts, info
    from recorder.opening import open_recording as open
    from recorder.reading import Recording
    from recorder.recovery import RecoveryReport, recover

__all__ = ["Recording", "RecoveryReport", "all_parts", "info", "open", "recover"]

_HOMES = {
    "Recording": ("recorder.reading", "Recording"),
    "RecoveryReport": ("recorder.recovery", "RecoveryReport"),
    "all_parts": ("recorder.opening", "all_parts"),
    "info": ("recorder.opening", "info"),
    "open": ("recorder.opening", "open_recording"),
    "recover": ("recorder.recovery", "recover"),
}


def __getattr__(name: str) -> Any:
    """Loads HDF5 when a recording is read, not when a module beside those that read is imported."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), original)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
