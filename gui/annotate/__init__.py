"""Annotations of a recording."""
