"""Checks of settings, as the sections of a settings file make them of themselves."""

from __future__ import annotations


def check_at_least_1(section: object, *names: str) -> None:
    """Whether these settings of a section are 1 or more.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if getattr(section, name) < 1:
            raise ValueError(f"{name} is at least 1, not {getattr(section, name)}")


def check_fractions(section: object, *names: str) -> None:
    """Whether these settings of a section are from 0 to 1.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if not 0 <= getattr(section, name) <= 1:
            raise ValueError(f"{name} is a fraction, from 0 to 1, not {getattr(section, name)}")
