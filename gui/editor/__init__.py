"""The protocol editor."""
