"""Takes with known times: scripted poses of the real body, motor skills on command, and pushes.

What counts as the truth never comes from the detectors' thresholds on the same running numbers:

- poses: the script's own times. A movement that is made in 0.1 to 0.4 s counts from the moment at which it
  is half-way out to the one at which it is half-way back;
- commands (stand, walk, run, turn, spin): from the moment at which the body has gone half of the way from
  the speed before to that of the command's steady part, by a centred mean that no online detector can have;
- contacts: in the air is an animal that touches nothing; a paw is at the orb while their geoms touch,
  with pauses of up to 0.1 s;
- task events: the task's own;
- righting: the middle eight tenths of each rise of trunk and pelvis from lying, whether or not the animal
  then stays up.

A take judges only the behaviours that its truth names (`Take.truth`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.stage import TICK_S, Puppet, Stage, Take
from training.experts import Skills, expert_for
from training.experts.righting import Righting
from training.skills.locomotion import Locomotion
from training.skills.spinning import SPEED as SPIN_SPEED

Array = np.ndarray
Intervals = list[tuple[int, int]]

SKILLS = Path(__file__).parent.parent / "subjects" / "rodent" / "skills"
MOTOR_NOISE = 0.07


def runs(holds: Array, shortest: int = 1) -> Intervals:
    """The intervals in which (ticks,) booleans hold, if at least so long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holds.astype(np.int8), [0]])))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(begin, end) for begin, end in pairs if end - begin >= shortest]


def joined(intervals: Intervals, gap: int) -> Intervals:
    """Intervals with the pauses of at most `gap` ticks between them closed."""
    result: Intervals = []
    for begin, end in intervals:
        if result and begin - result[-1][1] <= gap:
            result[-1] = (result[-1][0], end)
        else:
            result.append((begin, end))
    return result


def centred(values: Array, ticks: int) -> Array:
    """(ticks,) the mean over a window about each tick, edges repeated."""
    half = ticks // 2
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, np.ones(2 * half + 1) / (2 * half + 1), "valid")


def climbs_of(values: Array, back: float) -> Intervals:
    """From each low of (ticks,) values to the next high, where falls of less than `back` do not count."""
    result: Intervals = []
    low = high = 0
    rising = False
    for tick, value in enumerate(values.tolist()):
        if not rising and value < values[low]:
            low = tick
        if rising and value > values[high]:
            high = tick
        if not rising and value > values[low] + back:
            rising, high = True, tick
        elif rising and value < values[high] - back:
            result.append((low, high))
            rising, low = False, tick
    return [*result, (low, high)] if rising else result


def ease(tick: float, begin: float, ticks: float) -> float:
    """0 before `begin`, 1 after `begin + ticks`, a smooth way between; half at the middle."""
    part = min(max((tick - begin) / ticks, 0.0), 1.0)
    return part * part * (3 - 2 * part)


def bump(tick: float, begin: float, rise: float, hold: float) -> float:
    """Out in `rise` ticks, held for `hold`, and back in `rise`."""
    return ease(tick, begin, rise) - ease(tick, begin + rise + hold, rise)


def _halves(begin: int, rise: int, hold: int) -> tuple[int, int]:
    return begin + round(rise / 2), begin + rise + hold + round(rise / 2)


def _judged(take: Take, **truth: Intervals) -> Take:
    take.truth = truth
    return take


# --- scripted poses -----------------------------------------------------------------------------------


def _play(puppet: Puppet, name: str, ticks: int, pose: Callable[[int], dict[str, float]]) -> Take:
    """A take of a pose at every tick, with the small sway of a living body."""
    puppet.still()
    for tick in range(ticks):
        sway = 0.02 * np.sin(2 * np.pi * np.array([0.9, 1.3, 0.7]) * tick * TICK_S)
        here = pose(tick)
        for axis, off in zip(("pitch", "roll", "yaw"), sway.tolist(), strict=True):
            here[axis] = here.get(axis, 0.0) + off
        puppet.pose(**here)
    return puppet.take(name)


def poses(seed: int) -> Iterator[Take]:
    """A puppet on flat ground that rears, leans, jumps, spins, turns, and falls and rights itself."""
    rng = np.random.default_rng(seed)
    puppet = Puppet("corridor", seed)

    rise, hold, angle = int(rng.integers(8, 20)), int(rng.integers(10, 60)), rng.uniform(0.9, 1.3)
    up = [angle * bump(tick, 40, rise, hold) for tick in range(200)]
    take = _play(puppet, "pose: rear", 200, lambda tick: {"pitch": up[tick]})
    yield _judged(take, rear=[_halves(40, rise, hold)], jump=[], fallen=[], lean=[], stumble=[])

    rise, hold, angle = int(rng.integers(6, 16)), int(rng.integers(20, 60)), rng.uniform(0.5, 0.8)
    side = rng.choice([-1.0, 1.0])
    tilt = [side * angle * bump(tick, 40, rise, hold) for tick in range(200)]
    take = _play(puppet, "pose: lean", 200, lambda tick: {"roll": tilt[tick]})
    yield _judged(take, lean=[_halves(40, rise, hold)], rear=[], jump=[], fallen=[], stumble=[])

    flight = int(rng.integers(9, 16))
    height = 9.81 * (flight * TICK_S) ** 2 / 8
    arc = [4 * height * max(0.0, (t - 40) / flight * (1 - (t - 40) / flight)) for t in range(120)]
    take = _play(puppet, "pose: jump", 120, lambda tick: {"z": arc[tick], "x": 0.01 * tick})
    yield _judged(take, jump=[(41, 40 + flight)], rear=[], fallen=[], stumble=[], lean=[])

    rate, turns = rng.choice([-1.0, 1.0]) * rng.uniform(2.5, 5.0), int(rng.integers(50, 100))
    yaw = [rate * TICK_S * float(np.clip(tick - 50, 0, turns)) for tick in range(240)]
    take = _play(puppet, "pose: spin", 240, lambda tick: {"yaw": yaw[tick]})
    left, right = [(51, 51 + turns)], []
    if rate < 0:
        left, right = right, left
    yield _judged(take, spin_left=left, spin_right=right, turn_left=left, turn_right=right,
                  walk=[], run=[])  # fmt: skip

    speed, bend = rng.uniform(0.5, 1.0), rng.choice([-1.0, 1.0]) * rng.uniform(1.8, 3.0)
    course = bend * TICK_S * np.clip(np.arange(240) - 60, 0, 100)
    way = np.cumsum(speed * TICK_S * np.stack([np.cos(course), np.sin(course)], 1), 0).tolist()
    take = _play(puppet, "pose: turn", 240,
                 lambda t: {"x": way[t][0], "y": way[t][1], "yaw": float(course[t])})  # fmt: skip
    left, right = [(61, 161)], []
    if bend < 0:
        left, right = right, left
    yield _judged(take, turn_left=left, turn_right=right, spin_left=[], spin_right=[], stand=[])

    down, lies, back = (int(rng.integers(*span)) for span in ((8, 15), (40, 80), (20, 40)))
    side, angle = rng.choice([-1.0, 1.0]), rng.uniform(2.0, 3.1)
    rolled = angle * np.array(
        [ease(t, 40, down) - ease(t, 40 + down + lies, back) for t in range(220)]
    )
    take = _play(puppet, "pose: fall, righting", 220, lambda t: {"roll": side * float(rolled[t])})
    upright = np.cos(rolled)
    lying = [(begin, end) for begin, end in runs(upright < 0.4)]
    low = float(np.cos(angle))
    rising = (upright > low + 0.1 * (1 - low)) & (upright < low + 0.9 * (1 - low))
    rising &= np.arange(220) >= 40 + down + lies
    yield _judged(take, fallen=lying, righting=runs(rising), rear=[], jump=[])


def slopes(seed: int) -> Iterator[Take]:
    """A puppet that goes out over the bowl's bumps, and back, and out again."""
    rng = np.random.default_rng(seed)
    puppet = Puppet("escape", seed)
    heading, speed = rng.uniform(-np.pi, np.pi), rng.uniform(0.25, 0.45)
    ahead = np.concatenate([np.ones(400), -np.ones(250), np.ones(150)])
    distance = 1.5 + np.cumsum(speed * TICK_S * ahead)
    x, y = distance * np.cos(heading), distance * np.sin(heading)
    height = np.array([puppet.ground(a, b) for a, b in zip(x, y, strict=True)])
    slope = np.gradient(height) / (speed * TICK_S)
    slope[np.abs(np.diff(ahead, prepend=1.0)) > 0] = 0.0
    pitch = np.arctan(centred(slope, 10))
    take = _play(puppet, "pose: climb", len(ahead), lambda t: {
        "x": float(x[t]), "y": float(y[t]), "yaw": heading + (0.0 if ahead[t] > 0 else np.pi),
        "pitch": float(pitch[t]), "ground_m": float(height[t]),
    })  # fmt: skip
    # rising by more than one in ten, over a fifth of a second about each tick
    rising = joined(runs(centred(slope, 10) > 0.1), 10)
    yield _judged(take, climb=[each for each in rising if each[1] - each[0] >= 15],
                  fallen=[], rear=[])  # fmt: skip


def to_the_orb(seed: int) -> Iterator[Take]:
    """A puppet that goes past the orb of two-tap, then to it, then away from it."""
    rng = np.random.default_rng(seed)
    puppet = Puppet("two_tap", seed)
    orb = puppet.orb()[:2]
    angle, speed = rng.uniform(-np.pi, np.pi), rng.uniform(0.3, 0.9)
    legs = int(0.6 / (speed * TICK_S))
    toward = np.array([np.cos(angle), np.sin(angle)])
    begin = orb - 0.75 * toward
    plan = [(0.0, 50), (1.0, legs), (0.0, 50), (-1.0, legs)]
    going = np.concatenate([np.full(ticks, way) for way, ticks in plan])
    place = begin + np.cumsum(speed * TICK_S * going)[:, None] * toward
    yaw = np.where(going < 0, angle + np.pi, angle)
    take = _play(puppet, "pose: approach", len(going), lambda t: {
        "x": float(place[t, 0]), "y": float(place[t, 1]), "yaw": float(yaw[t])})  # fmt: skip
    yield _judged(take, approach=[(51, 51 + legs)], tap_left=[], tap_right=[])


# --- motor skills on command, and pushes --------------------------------------------------------------


class _Commanded:
    """An animal in the corridor that is given speeds and yaw rates."""

    def __init__(self, task: str, seed: int) -> None:
        self.stage = Stage(task, seed)
        self.rng = np.random.default_rng(seed)
        skills = Skills(SKILLS)
        self._going, self._spinning = skills.locomotion(), skills.spinning()

    def go(self, ticks: int, speed: float, yaw_rad_s: float = 0.0, spin: bool = False) -> None:
        skill: Locomotion = self._spinning if spin else self._going
        for _ in range(ticks):
            activation = self.stage.reader.activation()[None]
            action = skill.act(activation, np.array([speed]), np.array([yaw_rad_s]))[0]
            self.tick(action)

    def tick(self, action: Array) -> None:
        self.stage.note()
        self.stage.step(action + self.rng.normal(0, MOTOR_NOISE, len(action)))


def _steps(values: Array, begins: list[int]) -> tuple[list[int], list[float]]:
    """Where a centred mean has gone half-way from each steady part to the next, and the steady values."""
    ends = [*begins[1:], len(values)]
    steady = [
        float(np.median(values[(a + b) // 2 : b - 8])) for a, b in zip(begins, ends, strict=True)
    ]
    crossings = [0]
    for k, begin in enumerate(begins[1:], 1):
        middle, rises = (steady[k - 1] + steady[k]) / 2, steady[k] > steady[k - 1]
        inside = values[begin - 10 : ends[k]]
        beyond = inside > middle if rises else inside < middle
        crossings.append(begin - 10 + int(np.argmax(beyond)))
    return [*crossings, len(values)], steady


def speeds(seed: int) -> Iterator[Take]:
    """Standing, walking and running on command, in a random order."""
    animal = _Commanded("corridor", seed)
    plan = [0.0, 0.2, 0.0, 0.9, 0.2, 0.0, 0.9, 0.0]
    begins, tick = [], 0
    for speed in plan:
        begins.append(tick)
        ticks = int(animal.rng.integers(80, 120))
        animal.go(ticks, speed)
        tick += ticks
    take = animal.stage.take("skill: stand, walk, run")
    crossings, steady = _steps(centred(take.quantity("forward_speed"), 10), begins)
    truth: dict[str, Intervals] = {"stand": [], "walk": [], "run": []}
    for k, value in enumerate(steady):
        name = "stand" if plan[k] == 0.0 else "walk" if plan[k] < 0.5 else "run"
        interval = crossings[k], crossings[k + 1]
        speed = centred(take.quantity("forward_speed"), 20)[interval[0] + 10 : interval[1] - 10]
        if np.abs(speed - value).max() < max(0.15, 0.4 * value):
            truth[name].append(interval)
        else:  # it did not obey
            take.unclear.append(interval)
    take.known["steady"] = np.array(steady)
    yield _judged(take, **truth, rear=[], jump=[], fallen=[], spin_left=[], spin_right=[])


def turns(seed: int) -> Iterator[Take]:
    """Running with turns, then spinning on the spot, on command."""
    for name, spin in (("skill: turn", False), ("skill: spin", True)):
        animal = _Commanded("two_tap", seed)
        plan = [0.0, 3.0, 0.0, -3.0, 0.0]
        begins, tick = [], 0
        animal.go(60, 0.0)
        animal.stage.clear()
        for yaw in plan:
            begins.append(tick)
            ticks = int(animal.rng.integers(80, 120))
            if spin and yaw == 0.0:
                animal.go(ticks, 0.0)
            else:
                animal.go(ticks, SPIN_SPEED if spin else 0.6, yaw, spin)
            tick += ticks
        take = animal.stage.take(name)
        crossings, _ = _steps(centred(take.quantity("yaw_rate"), 20), begins)
        left, right = ([(crossings[k], crossings[k + 1])] for k in (1, 3))
        spins: tuple[Intervals, Intervals] = (left, right) if spin else ([], [])
        yield _judged(take, turn_left=left, turn_right=right, spin_left=spins[0],
                      spin_right=spins[1], rear=[], fallen=[])  # fmt: skip


def jumps(seed: int) -> Iterator[Take]:
    """An animal that stands or runs, and is thrown upwards now and then."""
    animal = _Commanded("corridor", seed)
    kicks = []
    for k in range(5):
        animal.go(70, 0.0 if k % 2 else 0.7)
        kicks.append(70 * (k + 1) + 10 * k)
        animal.stage.data.qvel[2] += animal.rng.uniform(1.0, 1.5)
        animal.go(10, 0.0)
    animal.go(60, 0.0)
    take = animal.stage.take("push: jump")
    flying = runs(take.known["n_ground"] == 0, 4)
    yield _judged(take, jump=[each for each in flying if any(-3 <= each[0] - k < 6 for k in kicks)],
                  rear=[])  # fmt: skip


def stumbles(seed: int) -> Iterator[Take]:
    """A running animal that is pushed out of balance: to a side, or onto its nose."""
    for axis, torque_nm in ((0, (0.27, 0.35)), (1, (0.27, 0.33))):
        animal = _Commanded("two_tap", seed)
        stage = animal.stage
        animal.go(150, 0.7)
        stage.clear()
        animal.go(int(animal.rng.integers(40, 60)), 0.7)
        begin = len(stage.take("").body)
        side = animal.rng.choice([-1.0, 1.0]) if axis == 0 else 1.0
        push = side * animal.rng.uniform(*torque_nm) * stage.reader.matrix()[:, axis]
        stage.data.xfrc_applied[stage.reader.torso, 3:] = push
        animal.go(PUSH_TICKS, 0.7)
        stage.data.xfrc_applied[:] = 0
        animal.go(40, 0.7)
        yield _judged(stage.take("push: stumble"), stumble=[(begin, begin + 20)], rear=[], lean=[])


PUSH_TICKS = 3
"""How long a torque pushes the trunk."""


def risings(seed: int) -> Iterator[Take]:
    """Animals that were dropped on the side or back in the bowl, and get up."""
    stage = Stage("escape", seed)
    rng = np.random.default_rng(seed)
    righting = Righting(Skills(SKILLS).path("righting"))
    locomotion = Skills(SKILLS).locomotion()
    righting.begin()
    for _ in range(220):
        stage.note()
        action = righting.act(stage.reader)
        if action is None:
            activation = stage.reader.activation()[None]
            action = locomotion.act(activation, np.zeros(1), np.zeros(1))[0]
        stage.step(action + rng.normal(0, MOTOR_NOISE, len(action)))
    take = stage.take("skill: righting")
    up, pelvis_up = take.quantity("up"), take.quantity("pelvis_up")
    low = (take.quantity("torso_height") < 0.06) & (centred(np.minimum(up, pelvis_up), 4) < 0.4)
    mean_up = centred((up + pelvis_up) / 2, 6)
    lying = joined(runs(low, 10), 10)
    rises: Intervals = []
    for low_tick, high_tick in climbs_of(mean_up, 0.3):
        whole = mean_up[high_tick] - mean_up[low_tick]
        part = (mean_up[low_tick:high_tick] - mean_up[low_tick]) / whole
        begin = low_tick + int(np.flatnonzero(part < 0.1)[-1]) + 1
        end = low_tick + int(np.flatnonzero(part < 0.9)[-1]) + 1
        lay = any(a <= begin and low_tick < b for a, b in lying)
        if whole > 0.7 and lay:
            rises.append((begin, end))
    yield _judged(take, fallen=lying, righting=rises)


def taps(seed: int, ticks: int = 1500) -> Iterator[Take]:
    """The expert of two-tap: approaches the orb, rears, taps it, and taps it again."""
    stage = Stage("two_tap", seed)
    rng = np.random.default_rng(seed)
    expert = expert_for("two_tap", Skills(SKILLS))
    expert.begin(stage.environment)
    for _ in range(ticks):
        action = expert.act()
        stage.note()
        stage.step(action + rng.normal(0, MOTOR_NOISE, len(action)))
    take = stage.take("skill: two-tap")
    closing = -np.gradient(take.quantity("orb_distance")) / TICK_S
    closing[np.abs(closing) > 5] = 0.0  # the orb was put elsewhere
    bearing = centred(take.quantity("orb_bearing"), 10)
    near = joined(runs((centred(closing, 10) > 0.08) & (np.abs(bearing) < 0.75), 8), 5)
    head, hands = take.quantity("head_height"), take.known["hands_ground"]
    # the head is at 4.5 cm as it stands and at about 15 when it rears
    raised = (centred(head, 4) > 0.1) & (centred(hands, 4) < 0.5)
    events = {name: [(t, t + 5) for t, each in enumerate(take.events) if name in each]
            for name in ("first_tap", "second_tap")}  # fmt: skip
    yield _judged(
        take,
        approach=near,
        rear=joined(runs(raised, 5), 3),
        tap_left=joined(runs(take.known["orb_left"] > 0), 5),
        tap_right=joined(runs(take.known["orb_right"] > 0), 5),
        fallen=[],
        **events,
    )


TAKES: tuple[Callable[[int], Iterator[Take]], ...] = (
    *(poses, slopes, to_the_orb, speeds, turns, jumps, stumbles, risings, taps),
)
"""All kinds of takes, each from a seed."""
