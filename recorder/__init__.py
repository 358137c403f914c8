"""The recorder: a session into one NWB file while it runs, and back out of it.

`recorder.process` is the process that a session starts; it writes with `recorder.writer` what
`recorder.layout` lays out. `recorder.open(path)` reads a recording, a growing one too, and with
`parts=True` all files of one that was rotated; `recorder.replay.ReplaySource` gives it back as the
messages that it was made from; `recorder.recover` repairs one whose recorder was killed.
"""

from recorder.opening import all_parts, info
from recorder.opening import open_recording as open
from recorder.reading import Recording
from recorder.recovery import RecoveryReport, recover

__all__ = ["Recording", "RecoveryReport", "all_parts", "info", "open", "recover"]
