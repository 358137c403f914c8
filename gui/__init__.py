"""The window: displays of a session or of a recording, fed by messages and by nothing else.

`welcome` sets a session up. `stream` brings messages from a running session or from a recording, in the
same form; `main_window` hands them to the displays (`arena_view`, `camera_view`, `timeline`, `health`; to
`comparison_view` where recordings are side by side), none of which can tell where they came from. The
window is a client: it can crash, freeze or close without the animal noticing.
"""
