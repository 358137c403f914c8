"""The recorder: a session into one NWB file while it runs, and back out of it.

`recorder.process` is the process that a session starts; it writes with `recorder.writer` what
`recorder.layout` lays out. `recorder.open(path)` reads a recording, a growing one too;
`recorder.replay.ReplaySource` gives it back as the messages that it was made from; `recorder.recover`
repairs one whose recorder was killed.
"""

from recorder.reading import Recording, info
from recorder.reading import open_recording as open
from recorder.recovery import RecoveryReport, recover

__all__ = ["Recording", "RecoveryReport", "info", "open", "recover"]
