"""The rig: arenas, the tick loop, the bus and the life of a session.

`rig` knows how a session is run; it does not know how it is shown (`gui`), stored (`recorder`) or how
a stimulus is decided (`stim`). Those run as processes of their own and speak the bus's messages
(`rig.bus`).
"""
