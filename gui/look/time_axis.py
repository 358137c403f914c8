"""Where a time axis has its marks, and how times are written on it."""

from __future__ import annotations

import math

_STEPS_S = (
    *(0.02, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000),
)


def time_steps(first_s: float, last_s: float, most: int) -> tuple[list[float], float]:
    """The times of marks at a round distance, so many at most, and that distance (s).

    >>> time_steps(0.0, 61.0, 5)
    ([0.0, 15.0, 30.0, 45.0, 60.0], 15)
    """
    span = max(last_s - first_s, 0.0)
    step = next((each for each in _STEPS_S if span / each < most), None)
    if step is None:
        step = _STEPS_S[-1] * math.ceil(span / _STEPS_S[-1] / max(most, 1))
    begin, end = math.ceil(first_s / step - 1e-9), math.floor(last_s / step + 1e-9)
    return [number * float(step) for number in range(begin, end + 1)], step


def axis_time(time_s: float, step_s: float = 1.0) -> str:
    """A time as m:ss, h:mm:ss from an hour on, with as many decimals as marks `step_s` apart need.

    >>> axis_time(75), axis_time(3723.4), axis_time(-0.5, 0.5), axis_time(1.26, 0.02)
    ('1:15', '1:02:03', '−0:00.5', '0:01.26')
    """
    decimals = 0 if step_s >= 1 else 1 if step_s >= 0.1 else 2
    scale = 10**decimals
    whole, part = divmod(round(abs(time_s) * scale) if decimals else int(abs(time_s)), scale)
    minutes, seconds = divmod(whole, 60)
    words = f"{minutes}:{seconds:02d}"
    if minutes >= 60:
        words = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    words += f".{part:0{decimals}d}" if decimals else ""
    return f"−{words}" if time_s < 0 else words
