"""Everything that the readers give of a recording, as short hashes: equal hashes, equal numbers.

`python -m tests.recording_digest F.nwb` prints them as JSON.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import recorder
from recorder.reading import Recording
from recorder.replay import ReplaySource
from recorder.snapshots import Snapshots
from rig.bus.message_types import Message

LATER = (
    *("called", "blinded", "experimenter", "institution", "keywords", "animal", "notes"),
    *("key_uses", "clips"),
)
"""Fields that later versions added; of an earlier recording they are empty."""
STEP = 7
"""Of the ticks at which single things are asked for."""


def digest(path: Path) -> dict[str, str]:
    """A hash by the name of what was read."""
    with recorder.open(path) as recording:
        found = {
            **_series(recording),
            **_pynapple(recording),
            **_happenings(recording),
            **_model(recording),
            "snapshots": _hash(_messages(Snapshots(recording).between(0, recording.last_tick))),
            "nwb": _hash([str(recording.nwb.session_start_time), recording.nwb.protocol]),
        }
    with ReplaySource(path) as source:
        found["replay"] = _hash(_messages(source.messages(source.first_tick, source.last_tick)))
        ends = [source.description, source.assets, source.end]
        found["replay ends"] = _hash(_messages(each for each in ends if each is not None))
        for tick in range(source.first_tick, source.last_tick, STEP):
            found[f"history {tick}"] = _hash(_messages(source.history(tick, 10)))
            found[f"open events {tick}"] = _hash(_plain(source.open_events(tick)))
    return found


def _series(recording: Recording) -> dict[str, str]:
    found = {f"series {name}": _hash([recording.values(name)]) for name in recording.series}
    first, last = recording.first_tick, recording.last_tick
    found["ticks"] = _hash([recording.ticks, first, last, recording.duration_s])
    found["times"] = _hash([recording.times_s(first + 3, last - 3)])
    found["a stretch"] = _hash([recording.values("qpos", first + 3, first + 9)])
    found["columns"] = _hash([recording.block("c_applied", slice(0, 20, 3), slice(5, 9))])
    return found


def _pynapple(recording: Recording) -> dict[str, str]:
    frames = {
        f"activity {layer.name} {state} {applied}": recording.activity(layer.name, state, applied)
        for layer in recording.description.layers
        for state in "ch"
        for applied in (True, False)
    }
    frames["frame qpos"] = recording.frame("qpos", 0.2, 0.8)
    frames["frame reward"] = recording.frame("reward")
    found = {name: _hash([each.t, each.d]) for name, each in frames.items()}
    sets = {**recording.behaviours, **recording.stimuli, "trials": recording.trial_set}
    for name, each in sets.items():
        columns = [np.asarray(each[column]) for column in each.metadata_columns]
        found[f"intervals {name}"] = _hash([each.start, each.end, *columns])
    for name, times in recording.task_event_times.items():
        found[f"event times {name}"] = _hash([times.t])
    return found


def _happenings(recording: Recording) -> dict[str, str]:
    values: dict[str, Any] = {
        "behaviours": recording.intervals("behaviours"),
        "stimuli": recording.intervals("stimuli"),
        "trials": recording.trials,
        "events": recording.events,
        "task events": recording.task_events,
        "inputs": recording.inputs,
        "log": recording.log,
        "faults": recording.faults,
        "end": recording.end,
    }
    return {name: _hash(_plain(value)) for name, value in values.items()}


def _model(recording: Recording) -> dict[str, str]:
    props = recording.props.at(recording.ticks.tolist())
    found = {"props": _hash([each for each in props if each is not None])}
    for trial in recording.trials:
        found[f"model {trial.trial}"] = _hash(
            [recording.model_xml(trial), *recording.model_props(trial)]
        )
    for name, content in recording.assets.items():
        found[f"asset {name}"] = _hash([content])
    return found


def _messages(messages: Iterable[Message]) -> list[Any]:
    found: list[Any] = []
    for each in messages:
        found += [each.topic, each.session, each.tick, each.sequence, _plain(each.content)]
        for name in sorted(each.arrays):
            found += [name, each.arrays[name]]
    return found


def _plain(value: Any) -> Any:
    """What JSON can say of it; floats are exact in it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(_without_later(dataclasses.asdict(value)))
    if isinstance(value, msgspec.Struct):
        return _plain(_without_later(msgspec.to_builtins(value)))
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _without_later(fields: dict[str, Any]) -> dict[str, Any]:
    kept = {name: each for name, each in fields.items() if each or name not in LATER}
    if kept.get("armed"):  # as protocols always were
        del kept["armed"]
    return kept


def _hash(parts: Any) -> str:
    made = hashlib.sha256()
    for each in parts if isinstance(parts, list) else [parts]:
        if isinstance(each, np.ndarray) and each.dtype.kind in "biuf":
            made.update(f"{each.dtype.str}{each.shape}".encode())
            made.update(np.ascontiguousarray(each).tobytes())
        elif isinstance(each, np.ndarray):
            made.update(json.dumps(each.tolist()).encode())
        else:
            made.update(json.dumps(_plain(each), sort_keys=True).encode())
    return made.hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(digest(Path(sys.argv[1])), indent=1))
