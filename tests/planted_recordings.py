"""Recordings of a made-up animal whose units do what a test plants in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.synthetic_session import Stream, description
from recorder.writer import Writer
from rig.bus.message_types import End, EngineReply, Episode, Event, LayerInfo, Message, Tick

LAYERS = ("core", "policy_0")
N_UNITS = 16
SETTLING = 50
"""Ticks at an episode's start that analyses leave out (1 s)."""


def write(
    file: Path,
    task: str,
    seed: int,
    h: np.ndarray,
    c: np.ndarray | None = None,
    task_events: Mapping[int, str] | None = None,
    body: Mapping[str, np.ndarray] | None = None,
    behaviours: Mapping[str, Sequence[tuple[int, int]]] | None = None,
    action: np.ndarray | None = None,
    subject: str = "rodent",
    trial_ticks: int | None = None,
    stimuli: tuple[str, ...] = ("outside",),
) -> Path:
    """Records one episode, or several of `trial_ticks` each.

    Args:
        file: the recording.
        task: its task.
        seed: its seed.
        h: (ticks, 2 × N_UNITS), outputs of both layers.
        c: the same of the cell states; like `h` if left out.
        task_events: by their tick.
        body: entries of the body state, each (ticks,).
        behaviours: by name, first tick and the tick after the last of each.
        action: (ticks, 2).
        subject: its name.
        trial_ticks: of each episode; all are one if left out.
        stimuli: that the session may have; by itself those of other programs, as any session.
    """
    behaviours = behaviours or {}
    known = description(
        subject=subject,
        subject_sha256=subject[:1] * 64,
        task=task,
        seed=seed,
        layers=tuple(LayerInfo(name, N_UNITS) for name in LAYERS),
        proprioception=(("walker/touch", 4),),
        joints=("hip_L", "hip_R", "knee_L"),
        actuators=("one", "two"),
        n_qpos=10,
        n_qvel=9,
        n_act=0,
        behaviours=tuple(behaviours) or ("run",),
        stimuli=stimuli,
        task_events=("first_tap", "second_tap", "orb"),
        conditions=(),
        keys=(),
        camera_shape=(0, 0, 3),
    )
    stream = Stream(known, seed, session=file.stem)
    writer = Writer(file, known, {}, session=file.stem, camera=False)
    h = np.asarray(h, np.float32)
    c = h if c is None else np.asarray(c, np.float32)
    numbers: dict[str, int] = {}
    for tick in range(len(h)):
        trial, since = divmod(tick, trial_ticks or len(h))
        if not since:
            writer.add(stream.message(Episode(trial, "<mujoco/>"), tick))
        made = stream._tick(tick, trial)
        state = made.arrays["body"].copy() * 0.01
        for name, values in (body or {}).items():
            state[known.body_state.index(name)] = values[tick]
        names = (task_events or {}).get(tick)
        content = Tick(
            trial, 0.0, 1.0, 0.0, not since, False, tick * 0.02, (names,) if names else ()
        )
        arrays = made.arrays | {
            "body": state,
            **{f"h_{which}": h[tick] for which in ("natural", "applied")},
            **{f"c_{which}": c[tick] for which in ("natural", "applied")},
        }
        if action is not None:
            arrays["action"] = np.asarray(action[tick], float)
        arrays.pop("camera", None)
        writer.add(Message(content, made.session, tick, made.sequence, arrays))
        events = []
        for name, spans in behaviours.items():
            for first, after in spans:
                if tick == first:
                    numbers[name] = numbers.get(name, -1) + 1
                if tick in (first, after):
                    phase = "onset" if tick == first else "offset"
                    events.append(Event("behaviour", name, phase, tick, tick, numbers[name]))
        confidence = np.zeros(len(known.behaviours), np.float32)
        writer.add(stream.message(EngineReply(tuple(events)), tick, confidence=confidence))
    writer.add(stream.message(End("trials", len(h), 0), len(h)))
    writer.close()
    return file


def tap_session(
    file: Path, seed: int, planted: bool = True, n_ticks: int = 300, subject: str = "rodent"
) -> Path:
    """Records two-tap with second taps at two times, before which each unit has its moment if `planted`.

    Unit k of 16 in each layer peaks k/16 of the 0.8 s after the first tap; else at any time. It has lower
    peaks at other times too: else the sequence would show around any moments of another episode.
    """
    random = np.random.default_rng(seed)
    h = 0.1 * random.standard_normal((n_ticks, 2 * N_UNITS))
    first = int(random.integers(126, 190))
    taps = [first, int(random.integers(first + 70, 274))]
    t = np.arange(n_ticks)
    for tap in taps:
        for unit in range(2 * N_UNITS):
            peak = (
                tap - 40 + 40 * (unit % N_UNITS) / N_UNITS if planted else random.integers(n_ticks)
            )
            h[:, unit] += 1.5 * np.exp(-0.5 * ((t - peak) / 3) ** 2)
    for unit in range(2 * N_UNITS):
        for peak in random.integers(0, n_ticks, 8):
            h[:, unit] += np.exp(-0.5 * ((t - peak) / 3) ** 2)
    events = {tap: "second_tap" for tap in taps} | {tap - 40: "first_tap" for tap in taps}
    return write(file, "two_tap", seed, h, task_events=events, subject=subject)
