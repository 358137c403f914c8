"""Episodes with their signals in memory, for analyses that need all of them together.

    found = load_episodes(read_episodes(files).episodes)
    by_task(found)["gaps"][0].h             # (ticks, units)

25 episodes of 30 s in each of four tasks take about 0.8 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

import recorder
from analysis.behaviour_features import BANDS_HZ, eigenpostures, feature_sets, kinematics
from analysis.episodes import Episode, Episodes, body, during, joint_angles, read_episodes, signals
from analysis.sequences import z_scored_together
from recorder.reading import Recording
from rig.errors import UserError

Array = np.ndarray
FeatureSets: TypeAlias = Mapping[str, list[Array]]
"""Features by name of the set, of every episode (ticks, features)."""

STRIDE_JOINT = "hip_L_extend"
TASK_ORDER = ("gaps", "forage", "escape", "two_tap", "corridor")


@dataclass(frozen=True)
class LoadedEpisode:
    """One episode, (ticks, ...) float32 unless another type is said.

    Attributes:
        task: the task.
        seed: of the session; episodes of one seed count as one observation.
        recording: the file it comes from.
        first_tick: of the session, at row 0.
        rate_hz: ticks a second.
        layers: by layer its units, as columns of `c` and `h`; the core first.
        c: cell states.
        h: outputs ("hidden states").
        joint_angles: rad.
        body_positions: of the body's parts from the torso, in its frame, m: (ticks, 3 x parts).
        forces: torque of every actuator, N m.
        hip: angle of the left hip, rad, (ticks,).
        speed_m_s: of the centre of mass in the horizontal plane, (ticks,).
        behaviours: bool (ticks,) of every behaviour that was detected on line.
    """

    task: str
    seed: int
    recording: Path
    first_tick: int
    rate_hz: float
    layers: Mapping[str, slice]
    c: Array
    h: Array
    joint_angles: Array
    body_positions: Array
    forces: Array
    hip: Array
    speed_m_s: Array
    behaviours: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.hip)

    def activity(self, state: str) -> Array:
        """Cell states ("c") or outputs ("h") of all units, (ticks, units)."""
        return self.h if state == "h" else self.c


def by_task(episodes: Sequence[LoadedEpisode]) -> dict[str, list[LoadedEpisode]]:
    """Episodes by task, in the order in which tasks come first."""
    found: dict[str, list[LoadedEpisode]] = {}
    for each in episodes:
        found.setdefault(each.task, []).append(each)
    return found


def read_by_subject(files: Iterable[Path]) -> dict[str, Episodes]:
    """The undisturbed episodes in recordings of several subjects, by the subject's name.

    What is no recording is left out, and said of the first subject.

    Raises `UserError` where a subject has none, or two of one name differ.
    """
    groups: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    unreadable = []
    for file in files:
        try:
            with recorder.open(file) as recording:
                described = recording.description
        except UserError as problem:
            unreadable.append(str(problem))
            continue
        sha256 = described.subject_sha256
        if names.setdefault(described.subject, sha256) != sha256:
            raise UserError(
                f"{file} is of another {described.subject} than the recordings before it (its weights "
                "differ); give recordings of one of them."
            )
        groups.setdefault(described.subject, []).append(file)
    if not groups:
        raise UserError(unreadable[0] if unreadable else "There is no recording to draw from.")
    found = {name: read_episodes(own) for name, own in groups.items()}
    first = next(iter(found))
    found[first] = replace(found[first], left_out=(*unreadable, *found[first].left_out))
    return found


def load_episodes(episodes: Sequence[Episode]) -> list[LoadedEpisode]:
    """The signals of episodes, sorted by task and seed.

    Raises `UserError` where ticks are unequally long.
    """
    if len({each.tick_s for each in episodes}) > 1:
        raise UserError("Ticks of these recordings are unequally long; give those of one rig.")
    bodies = _Bodies()
    loaded = signals(episodes, lambda recording, one: _load(recording, one, bodies))
    return sorted(loaded, key=lambda each: (TASK_ORDER.index(each.task), each.seed))


def _load(recording: Recording, episode: Episode, bodies: _Bodies) -> LoadedEpisode:
    described = recording.description
    rows = recording.rows(episode.first_tick, episode.last_tick)
    stops = np.cumsum([layer.n_units for layer in described.layers])
    qpos = recording.block("qpos", rows)
    columns = recording.series["qpos"].columns
    hip = next((k for k, name in enumerate(columns) if name.endswith(STRIDE_JOINT)), None)
    if hip is None:
        raise UserError(
            f"{recording.path} has no angle of {STRIDE_JOINT}, so that its animal is not the rodent of these "
            "analyses; give recordings that `rodent-rig dataset` made."
        )
    across = body(recording, episode, "body_vx", "body_vy")
    return LoadedEpisode(
        task=episode.task,
        seed=episode.seed,
        recording=episode.files[0],
        first_tick=episode.first_tick,
        rate_hz=episode.rate_hz,
        layers={
            layer.name: slice(int(stop) - layer.n_units, int(stop))
            for layer, stop in zip(described.layers, stops, strict=True)
        },
        c=recording.block("c_applied", rows),
        h=recording.block("h_applied", rows),
        joint_angles=joint_angles(recording, episode).astype(np.float32),
        body_positions=bodies.positions(recording, episode, qpos),
        forces=recording.block("actuator_force", rows).astype(np.float32),
        hip=qpos[:, hip].astype(np.float32),
        speed_m_s=np.linalg.norm(across, axis=1).astype(np.float32),
        behaviours={name: during(recording, episode, name) for name in described.behaviours},
    )


class _Bodies:
    """Where the parts of the body are: the animal of a recording's model, compiled once for all alike."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Callable[[Array], Array]] = {}

    def positions(self, recording: Recording, episode: Episode, qpos: Array) -> Array:
        """Positions from the torso, in its frame, m: (ticks, 3 x parts) float32."""
        described = recording.description
        # the animal is dm_control's, so that arenas do not differ in it
        body = (described.joints, described.n_qpos, described.versions.get("dm_control"))
        if body not in self._known:
            self._known[body] = _kinematics(recording, episode.first_tick)
        return self._known[body](qpos)


def _kinematics(recording: Recording, tick: int) -> Callable[[Array], Array]:
    import mujoco

    trial = recording.trial_of(tick)
    assert trial is not None, "an episode is a trial"
    files = {name: content.tobytes() for name, content in recording.assets.items()}
    model = mujoco.MjModel.from_xml_string(recording.model_xml(trial), files)
    data = mujoco.MjData(model)
    names = [model.body(k).name for k in range(model.nbody)]
    parts = np.array([k for k, name in enumerate(names) if name.startswith("walker/")])
    if "walker/torso" not in names:
        raise UserError(
            f"{recording.path} has no model of the rodent, from which the places of its parts are computed; "
            "give recordings that `rodent-rig dataset` made."
        )
    torso = names.index("walker/torso")

    def positions(qpos: Array) -> Array:
        found = np.empty((len(qpos), 3 * len(parts)), np.float32)
        for row, one in enumerate(qpos):
            data.qpos[:] = one
            mujoco.mj_kinematics(model, data)
            frame = data.xmat[torso].reshape(3, 3)
            found[row] = ((data.xpos[parts] - data.xpos[torso]) @ frame).ravel()
        return found

    return positions


# --- scaling ----------------------------------------------------------------------------------------


def sets_of(episodes: Sequence[LoadedEpisode]) -> FeatureSets:
    """The eight sets of features of episodes by name, each of every episode (`feature_sets`)."""
    return feature_sets(
        [each.joint_angles for each in episodes],
        [each.body_positions for each in episodes],
        [each.forces for each in episodes],
        episodes[0].rate_hz,
    )


def kinematics_of(episodes: Sequence[LoadedEpisode], bands: Sequence[str]) -> FeatureSets:
    """The kinematics of episodes on some time scales, such as "fast", named as in `sets_of`."""
    postures = (
        eigenpostures([each.joint_angles for each in episodes]),
        eigenpostures([each.body_positions for each in episodes]),
    )
    rate_hz = episodes[0].rate_hz
    return {f"kinematics, {band}": kinematics(*postures, rate_hz, BANDS_HZ[band]) for band in bands}


def z_scored_activity(episodes: Sequence[LoadedEpisode], state: str) -> list[Array]:
    """Activity of every episode, each unit z-scored over all of them together: (ticks, units) float32.

    A unit that never changes is 0 throughout.

    Args:
        episodes: of one subject.
        state: "c" or "h".
    """
    return z_scored_together([each.activity(state) for each in episodes])
