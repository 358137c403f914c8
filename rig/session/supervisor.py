"""The supervisor: owns a session from its first process to its last.

It starts subject, stimulation engine and recorder as commands, keeps the hub, lets the subject know when
one of the others has died, and ends all of them together. Any of them but the subject can die without ending
the session; a window is only a client and may come and go.
"""

from __future__ import annotations
