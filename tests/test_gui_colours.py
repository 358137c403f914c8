"""Colours: what means different things is told apart, in both themes and by everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from gui.look.behaviour_style import GROUPS, TINT, look_of, stimulus_look
from gui.look.theme import THEMES, Theme, activity_colours
from stim.detectors.behaviours import BEHAVIOURS
from tests.colour_vision import MATRICES, apart, from_srgb, lab, seen_by

NAMES = tuple(behaviour.name for behaviour in BEHAVIOURS)


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_every_behaviour_looks_unlike_every_other(theme: Theme) -> None:
    looks = [look_of(theme, name) for name in NAMES]
    assert len(set(looks)) == len(NAMES)
    assert len({look.colour for look in looks}) == len(GROUPS) - 1


@pytest.mark.parametrize("vision", ["usual", *MATRICES])
@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_what_means_different_things_is_told_apart(theme: Theme, vision: str) -> None:
    """Either by pattern or by colour, also without the green or the red cones."""
    looks = {name: look_of(theme, name) for name in (*NAMES, "one of the protocol's own")}
    for (one, a), (other, b) in combinations(looks.items(), 2):
        if (a.fill, a.pattern) == (b.fill, b.pattern):
            opacity = TINT if a.fill == "tint" else 1.0
            assert apart(a.colour, b.colour, vision, opacity, theme.plot) > 10, (one, other)
    stimulus = stimulus_look(theme, sham=False)
    for group in theme.groups:
        assert apart(group, theme.plot, vision) > 40
        assert apart(group, stimulus.colour, vision) > 10
        assert apart(group, theme.alarm, vision) > 10
    for one, other in combinations((theme.alarm, theme.warning, theme.good, theme.muted), 2):
        assert apart(one, other, vision) > 15
    # activity: below its mean, at it and above it
    low, middle, high = activity_colours(theme, 255)[[0, 127, -1]] / 255.0
    for one, other in ((low, middle), (middle, high), (low, high)):
        seen = [lab(seen_by(vision, from_srgb(each))) for each in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) > 25
