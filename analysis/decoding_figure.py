"""The figure `decoding`: what can be read from each layer: movement, behaviour, task, time since a tap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from analysis.covariates import EVERY, covariates
from analysis.decoding import (
    TAP_S,
    Decoded,
    decode_classes,
    decode_tasks,
    decode_time,
    decode_values,
)
from analysis.episodes import (
    Episode,
    Episodes,
    activity,
    during,
    need_episodes,
    read_episodes,
    signals,
    task_event_rows,
)
from analysis.figure_numbers import number, picture_and_numbers, write_numbers
from analysis.figure_result import FigureResult
from analysis.look import BAND, MUTED, beside_null, drawn, layer_look
from analysis.resampling import above, bootstrap
from analysis.sequences import z_scored_together
from analysis.verdicts import Claim, judge
from recorder.reading import Recording
from rig.bus.message_types import Array as AnyArray

Array = np.ndarray

STATES = ("h", "c")
LEAST_EPISODES = 5
LEAST_TAPS = 10
SHOWN = 5
"""Components of posture, joint speed and forces that are decoded."""
BEHAVIOURS = (
    "fallen",
    "righting",
    "rear",
    "jump",
    "spin_left",
    "spin_right",
    "climb",
    "run",
    "walk",
    "stand",
)
"""In the order in which one is taken where several go on at once."""
LEAST_SHARE = 0.005
MOVEMENT = ("posture", "joint speed", "forces")
TIME, TASK, BEHAVIOUR = "time since first tap", "task", "behaviour"
files_of = picture_and_numbers


def behaviour_labels(episodes: Sequence[Episode]) -> tuple[list[Array], tuple[str, ...]]:
    """The behaviour at every tick (-1 for none of them), and the names: those that take 0.5 % of the time."""

    def read(recording: Recording, one: Episode) -> AnyArray:
        return np.stack([during(recording, one, name) for name in BEHAVIOURS])

    found = signals(episodes, read)
    first = [np.where(own.any(0), own.argmax(0), -1)[::EVERY] for own in found]
    counts = np.bincount(np.concatenate(first) + 1, minlength=len(BEHAVIOURS) + 1)[1:]
    kept = [k for k, n in enumerate(counts) if n >= LEAST_SHARE * sum(map(len, first))]
    place = np.full(len(BEHAVIOURS) + 1, -1)
    place[[k for k in kept]] = np.arange(len(kept))
    return [place[own] for own in first], tuple(BEHAVIOURS[k] for k in kept)


def tap_windows(recording: Recording, one: Episode) -> list[int]:
    """The rows of first taps that were followed by a second in time."""
    ticks = round(TAP_S / one.tick_s)
    seconds = task_event_rows(recording, one, "second_tap")
    return [
        row
        for row in task_event_rows(recording, one, "first_tap")
        if any(ticks - 6 <= second - row <= ticks + 6 for second in seconds)
        and row + ticks < one.n_ticks
    ]


def decode_all(found: Episodes) -> dict[tuple[str, str, str], Decoded]:
    """Everything that is read from every layer, by what, layer and state."""
    groups = covariates(found.episodes)
    behaviours, names = behaviour_labels(found.episodes)
    task_of = [one.task for one in found.episodes]
    tasks = [found.tasks.index(task) for task in task_of]
    taps = signals(found.episodes, tap_windows)
    tapping = {task for task, own in zip(task_of, taps, strict=True) if own}
    among = [k for k, task in enumerate(task_of) if task in tapping]
    enough_taps = sum(map(len, taps)) >= LEAST_TAPS and sum(map(bool, taps)) >= LEAST_EPISODES
    tick_s = found.episodes[0].tick_s
    targets: dict[str, Sequence[Array]] = {
        name: [each[:, :SHOWN] for each in groups[name]] for name in MOVEMENT
    }
    for name, column in (("forward speed", 0), ("turning", 2)):
        targets[name] = [each[:, [column]] for each in groups["body"]]
    of = {}
    for layer in found.layers:
        for state in STATES:
            parts = z_scored_together(activity(found.episodes, layer, state))
            xs = [part[::EVERY] for part in parts]
            for name, one in decode_values(xs, targets, task_of).items():
                of[name, layer, state] = one
            if len(names) > 1:
                of[BEHAVIOUR, layer, state] = decode_classes(xs, behaviours, len(names), task_of)
            if len(found.tasks) > 1:
                of[TASK, layer, state] = decode_tasks(xs, tasks, len(found.tasks))
            if enough_taps:
                of[TIME, layer, state] = decode_time(
                    [parts[k] for k in among], [taps[k] for k in among], tick_s
                )
    return of


def draw(files: Iterable[Path], out: Path) -> FigureResult:
    """Draws the figure into `out`, and its numbers into a CSV beside it.

    Args:
        files: recordings of any tasks.
        out: the picture.

    Raises:
        UserError: the recordings are of different subjects, or there are fewer than five episodes.
    """
    found = read_episodes(files)
    need_episodes(found.episodes, LEAST_EPISODES, "Decoding, each fifth predicted from the rest,")
    of = decode_all(found)
    claims = tuple(claim for state in STATES for claim in _claims(found, of, state))
    _picture(found, of, out)
    numbers = [
        number(f"{'balanced accuracy' if what in (TASK, BEHAVIOUR) else 'R²'} of {what}", one.value, one.null,
               layer=layer, state=state)
        for (what, layer, state), one in of.items()
    ]  # fmt: skip
    write_numbers(files_of(out)[1], numbers)
    missing = [
        f"{what} is left out: {why}."
        for what, why in (
            (TASK, "there is one task"),
            (TIME, f"fewer than {LEAST_TAPS} pairs of taps"),
            (BEHAVIOUR, "there is one behaviour"),
        )
        if (what, found.layers[0], "h") not in of
    ]
    return FigureResult(files_of(out), claims, (*found.notes(), *missing))


def _claims(
    found: Episodes, of: dict[tuple[str, str, str], Decoded], state: str
) -> tuple[Claim, ...]:
    core, policies = found.layers[0], found.layers[1:]
    named = "outputs h" if state == "h" else "cell states c"
    n = range(len(found.episodes))
    quote = (
        "the model uses two classes of representations which respectively encode the task-specific "
        "behavioral strategies and task-invariant behavioral kinematics"
    )
    claims = []
    for rule, whats, sign in (
        (
            "posture, joint speed and forces are read better from every policy layer than from the core",
            MOVEMENT,
            1,
        ),
        ("the task is read better from the core than from every policy layer", (TASK,), -1),
    ):
        if not policies or (whats[0], core, state) not in of:
            continue

        def mean(layer: str, some: Sequence[int], whats: Sequence[str] = whats) -> float:
            return float(np.mean([of[what, layer, state].per_draw(some) for what in whats]))

        def margins(
            some: Sequence[int], sign: int = sign, mean: Callable[..., float] = mean
        ) -> list[float]:
            of_core = mean(core, some)
            return [sign * (mean(policy, some) - of_core) for policy in policies]

        estimates = [above(each, 0.0, len(policies)) for each in bootstrap(margins, [n])]
        listed = ", ".join(f"{layer} {mean(layer, n):.2f}" for layer in found.layers)
        differ = ", ".join(
            f"{policy} {each.with_interval()}"
            for policy, each in zip(policies, estimates, strict=True)
        )
        claims.append(
            Claim(
                f"abstract ({state})",
                quote,
                f"{named}: {rule}",
                f"{listed}; margin {differ}",
                judge(estimates),
            )
        )
    return tuple(claims)


def _picture(found: Episodes, of: dict[tuple[str, str, str], Decoded], out: Path) -> None:
    whats = list(dict.fromkeys(what for what, _, _ in of))
    title = (
        f"{found.episodes[0].subject}: what can be read from each layer in held-out episodes (filled h, open "
        f"c); n = {len(found.episodes)}"
    )
    with drawn(out, 3.6, title) as figure:
        axes = figure.subplots()
        for j, layer in enumerate(found.layers):
            for i, state in enumerate(STATES):
                for k, what in enumerate(whats):
                    one = of[what, layer, state]
                    x = k + 0.2 * (j - (len(found.layers) - 1) / 2) + 0.08 * i
                    look = layer_look(layer)
                    look["markerfacecolor"] = (look["color"], "white")[i]
                    look["label"] = layer if i == 0 and k == 0 else None
                    beside_null(axes, x, one.value, one.null.shuffled, 0.035, **look)
        axes.axhline(0, color=MUTED, linewidth=0.5)
        for k in range(1, len(whats)):
            axes.axvline(k - 0.5, color=BAND, linewidth=0.4)
        axes.set_xticks(
            range(len(whats)),
            [what.replace(" since", "\nsince").replace(" speed", "\nspeed") for what in whats],
        )
        axes.set_xlim(-0.5, len(whats) - 0.5)
        axes.set_ylim(-0.3, 1.15)
        axes.set_ylabel("R²; of behaviour and task\nbalanced accuracy")
        axes.set_title("grey: 95 % of exchanges")
        axes.legend(ncols=4, loc="upper left")
