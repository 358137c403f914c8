"""The life of a session: its folder, its processes, and the supervisor that owns them."""
