"""Where it comes from: a session's bus or a recording, and work beside the window's thread."""
