"""Setting a session up, its bar, its state and its end."""
