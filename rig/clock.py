"""The one clock for what people read: local time, always with its zone."""

from __future__ import annotations

from datetime import datetime


def now() -> datetime:
    """The time here, with its zone; `isoformat()` of it keeps both."""
    return datetime.now().astimezone()


def file_stamp() -> str:
    """The time here for the name of a file, such as 20261126-052252+0100."""
    return now().strftime("%Y%m%d-%H%M%S%z")


def shown(moment: str | float) -> str:
    """A time as people read it: ISO 8601 text with the zone that it has, Unix time (s) with ours.

    >>> shown("2026-11-26T05:22:52.123456+01:00")
    '2026-11-26 05:22:52 +01:00'
    """
    try:
        if isinstance(moment, str):
            found = datetime.fromisoformat(moment)
        else:
            found = datetime.fromtimestamp(moment).astimezone()
    except (ValueError, OverflowError, OSError):
        return str(moment)
    zone = found.strftime("%z")
    return (
        f"{found:%Y-%m-%d %H:%M:%S} {zone[:3]}:{zone[3:5]}"
        if zone
        else f"{found:%Y-%m-%d %H:%M:%S}"
    )
