"""A recording in the hands of programs that know NWB and not us: every interval, unit and mark as it was."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pynapple as nap
import pytest
from pynwb import NWBHDF5IO

import recorder
from analysis.probe import write_spikes
from bench.synthetic_session import Stream, description
from recorder.file_rotation import RotationLimit
from recorder.rotating_writer import RotatingWriter
from recorder.tables import Interval
from rig.bus.message_types import Event, Message
from rig.errors import UserError
from tests.recorder_checks import nwb_problems

N_TICKS = 600
"""More than units: nwbinspector takes a recording with fewer for a transposed one."""

NOTES = {
    "experimenter": ("Doe, Jane",),
    "institution": "A university",
    "keywords": ("closed loop", "virtual rodent"),
    "notes": "The first one.",
}


def _happens(
    name: str, start: int, stop: int, number: int, sham: bool = False, cause: str = ""
) -> dict[int, Event]:
    """The onset and offset of a stimulus, by the tick whose answer brings them."""
    return {
        tick - 1: Event("stimulus", name, phase, tick, tick, number, sham, 1.0, cause)
        for tick, phase in ((start, "onset"), (stop, "offset"))
    }


OVERLAPPING = (
    # told apart by sham
    _happens("o", 11, 31, 0, sham=True, cause="rule 1: run.onset 0"),
    _happens("o", 21, 41, 1, cause="rule 1: run.onset 1"),
    _happens("o", 41, 60, 2, cause="rule 2: run.onset 1"),
    # by rule
    _happens("two_rules", 50, 90, 0, cause="rule 2: run.onset 2"),
    _happens("two_rules", 70, 110, 1, cause="rule 3: walk.onset 2"),
    # by nothing
    _happens("same", 100, 140, 0, cause="rule 4: run.onset 2"),
    _happens("same", 120, 160, 1, cause="rule 4: run.onset 3"),
    _happens("same", 140, 150, 2, cause="rule 4: run.onset 4"),
    # by the client's name
    _happens("a client's/own", 200, 240, 0, cause="client"),
    _happens("another", 220, 260, 0, cause="client"),
)


def _with(messages: Iterable[Message]) -> list[Message]:
    """The same session, in which those happen too."""
    found = []
    for message in messages:
        more = [each[message.tick] for each in OVERLAPPING if message.tick in each]
        if message.topic == "answer" and more:
            events = (*message.content.events, *more)  # type: ignore[union-attr]
            content = msgspec.structs.replace(message.content, events=events)
            message = dataclasses.replace(message, content=content)
        found.append(message)
    return found


def _record(path: Path, limit: RotationLimit | None = None) -> Path:
    """A closed recording of it, in several files with a limit."""
    described = description(stimuli=("silence", "drive", "o", "two_rules", "same"), **NOTES)
    stream = Stream(described)
    _, assets = stream.beginning()
    writer = RotatingWriter(path, described, assets.arrays, session="test", limit=limit)
    for message in _with([*stream.ticks(0, N_TICKS), stream.end(N_TICKS)]):
        writer.add(message)
    writer.close()
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _record(tmp_path_factory.mktemp("other") / "session.nwb")


@pytest.fixture(scope="module")
def intervals(file: Path) -> list[Interval]:
    with recorder.open(file) as recording:
        return [*recording.intervals("behaviours"), *recording.intervals("stimuli")]


def _key(start_s: float, stop_s: float, number: int, sham: bool = False) -> tuple[object, ...]:
    return round(float(start_s), 5), round(float(stop_s), 5), int(number), bool(sham)


def _keys(found: Iterable[Interval]) -> list[tuple[object, ...]]:
    return sorted(_key(e.start_s, e.stop_s, e.number, e.sham) for e in found)


def _of_sets(sets: Iterable[nap.IntervalSet]) -> list[tuple[object, ...]]:
    return sorted(
        _key(start, stop, number, sham)
        for each in sets
        for start, stop, number, sham in zip(
            each.start,
            each.end,
            each["number"],
            each["sham"] if "sham" in each.metadata_columns else [False] * len(each),
            strict=True,
        )
    )


def test_overlapping_stimuli_are_never_handed_out_joined(
    file: Path, intervals: list[Interval]
) -> None:
    """Apart by sham, rule, client or place; the name alone says so instead of a wrong answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with recorder.open(file) as recording:
            behaviours, stimuli = recording.behaviours, recording.stimuli
    assert stimuli["o_sham"]["sham"].tolist() == [True]
    np.testing.assert_allclose(stimuli["o_sham"].start, [0.22])
    np.testing.assert_allclose(stimuli["o_sham"].end, [0.62])
    np.testing.assert_allclose(stimuli["o_delivered"].start, [0.42, 0.82])  # they touch
    np.testing.assert_allclose(stimuli["o_delivered"].end, [0.82, 1.2], atol=2e-6)
    assert {"two_rules_rule_2", "two_rules_rule_3"} <= set(stimuli)
    assert len(stimuli["same_delivered_1"]) == 2
    assert len(stimuli["same_delivered_2"]) == 1
    assert {"outside_another", "outside_mine — µ"} <= set(stimuli)
    assert stimuli["silence"]["sham"].tolist()[:2] == [False, True]
    for name in ("o", "two_rules", "same", "outside"):
        assert name not in stimuli
        with pytest.raises(UserError, match=f"{name}.*overlap.*{name}_"):
            stimuli[name]
    with pytest.raises(KeyError):
        stimuli["nothing"]
    assert _of_sets([*behaviours.values(), *stimuli.values()]) == _keys(intervals)


def test_nor_are_those_of_a_recording_in_several_files(file: Path, tmp_path: Path) -> None:
    """The files end in the middle of stimuli that overlap; read as one they have the same sets."""
    parts = _record(tmp_path / "parts.nwb", RotationLimit(after_s=2.1))
    with recorder.open(file) as one, recorder.open(parts, parts=True) as several:
        assert len(several.files) == 6
        for mine, theirs in ((several.stimuli, one.stimuli), (several.behaviours, one.behaviours)):
            assert list(mine) == list(theirs)
            assert _of_sets(mine.values()) == _of_sets(theirs.values())
        assert several.values("c_applied").tobytes() == one.values("c_applied").tobytes()
        for part in several.files:
            with recorder.open(part) as each:
                lasts = [each.intervals(name) for name in ("behaviours", "stimuli")]
                kept = [e for found in lasts for e in found if e.stop_s > e.start_s]
                sets = [*each.behaviours.values(), *each.stimuli.values()]
                assert _of_sets(sets) == _keys(kept)


def test_pynapple_s_own_loader_has_every_interval(file: Path, intervals: list[Interval]) -> None:
    """One set for each behaviour and stimulus, none joined, with number and sham."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = nap.load_file(str(file))
        assert loaded["c_natural"].shape == (N_TICKS, 512)
        sets = {
            name: loaded[name] for name in loaded if name.startswith(("behaviour_", "stimulus_"))
        }
        assert loaded["trials"]["trial"].tolist() == list(range(6))
        assert len(loaded["epochs"]["tags"]) == len(loaded["epochs"])
    assert {"behaviour_run", "stimulus_silence", "stimulus_o_sham"} <= set(sets)
    found = [(*key[:1], round(float(key[1]), 4), *key[2:]) for key in _of_sets(sets.values())]  # type: ignore[arg-type]
    known = [(*key[:1], round(float(key[1]), 4), *key[2:]) for key in _keys(intervals)]  # type: ignore[arg-type]
    assert found == known
    for each in sets.values():
        assert (np.diff(each.start) > 0).all()


def test_neo_has_every_interval_as_events_and_epochs(
    file: Path, intervals: list[Interval], tmp_path: Path
) -> None:
    """An event for each onset and offset; an epoch says what is going on."""
    import neo  # type: ignore[import-untyped]  # not above: every process that runs tests would load it

    file = Path(shutil.copy(file, tmp_path / "without_keywords.nwb"))
    with h5py.File(file, "r+") as raw:
        del raw["general/keywords"]  # neo (0.14) reads no file that has some
    logging.getLogger("Neo").setLevel(logging.ERROR)  # units that it does not know
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (block,) = neo.io.NWBIO(str(file), "r").read_all_blocks()
    (segment,) = block.segments
    assert (N_TICKS, 512) in {each.shape for each in segment.irregularlysampledsignals}
    (events,) = segment.events
    marked = set(zip(np.round(events.times.magnitude, 5), events.labels, strict=True))
    for each in intervals:
        label = f"{each.called or each.name}{' (sham)' if each.sham else ''} {each.number}"
        assert (round(each.start_s, 5), f"{label} onset") in marked
        assert each.offset_tick < 0 or (round(each.stop_s, 5), f"{label} offset") in marked
    assert {"first_tap", "key k"} <= set(events.labels)
    (epochs,) = segment.epochs
    starts, lasts = epochs.times.magnitude, epochs.durations.magnitude
    for each in intervals:
        label = f"{each.called or each.name}{' (sham)' if each.sham else ''}"
        within = (starts > each.start_s - 1e-6) & (starts + lasts < each.stop_s + 1e-6)
        assert lasts[within].sum() == pytest.approx(each.stop_s - each.start_s)
        assert all(label in text.split(" + ") for text in epochs.labels[within])


def test_pynwb_has_the_tables_and_what_the_session_was(
    file: Path, intervals: list[Interval]
) -> None:
    """Names for codes, units of columns, who did it; no description is left to a library."""
    described = description()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(file), "r") as io:
            nwb = io.read()
            assert nwb.protocol == described.protocol_text
            assert described.subject_sha256 in nwb.subject.description
            assert "seed 7" in nwb.notes
            assert '"mujoco": "3.17.0"' in nwb.notes
            assert tuple(nwb.experimenter) == NOTES["experimenter"]
            assert nwb.institution == NOTES["institution"]
            assert tuple(nwb.keywords[:]) == NOTES["keywords"]
            assert nwb.notes.startswith(str(NOTES["notes"]))
            record = nwb.processing["record"]
            both = [record[name].to_dataframe() for name in ("behaviours", "stimuli")]
            assert set(both[1]["stimulus"]) == {"silence", "o", "two_rules", "same", "outside"}
            combined = [
                _key(row.start_time, row.stop_time, row.number, getattr(row, "sham", False))
                for frame in both
                for row in frame.itertuples()
            ]
            assert sorted(combined) == _keys(intervals)
            assert list(nwb.trials.to_dataframe()["trial"]) == list(range(6))
            units = nwb.processing["rig"]["network_units"].to_dataframe()
            assert list(units["unit_name"])[128:130] == ["policy_0/0", "policy_0/1"]
            assert len(record["interventions"].to_dataframe()["units"][0]) == 64
            columns = nwb.processing["rig"]["columns"].to_dataframe()
            body = columns[columns["series"] == "body"].set_index("column_name")["unit"]
            assert [body[name] for name in ("torso_x", "yaw_rate", "touch_palm_L", "up")] == [
                *("m", "rad/s", "N", "1")
            ]
            qpos = columns[columns["series"] == "qpos"]
            assert list(qpos["column_name"])[6:8] == ["root/6", "joint_0"]
            assert list(qpos["unit"])[2:8] == ["m", "1", "1", "1", "1", "rad"]
            np.testing.assert_array_equal(
                nwb.acquisition["action"].timestamps[:], nwb.acquisition["qpos"].timestamps[:]
            )
    with h5py.File(file) as raw:
        names: list[str] = []
        texts: list[str] = []

        def look(path: str, node: h5py.Group | h5py.Dataset) -> None:
            names.append(path.rpartition("/")[2])
            kind = node.attrs.get("neurodata_type", "")
            if kind and kind not in ("NWBFile", "Subject", "ElementIdentifiers", "ScratchData"):
                texts.append(node.attrs.get("description", ""))

        # what the file says of the format itself is not ours
        for folder in ("acquisition", "intervals", "processing"):
            raw[folder].visititems(look)
    assert "name" not in names
    assert not [text for text in texts if not text or "utogenerated" in text or "One value" in text]


def test_activity_is_stored_once_and_read_twice(file: Path) -> None:
    """What interventions changed stands in a table; every reader of ours has both, in any part of it."""
    described = description(stimuli=("silence", "drive", "o", "two_rules", "same"), **NOTES)
    stream = Stream(described)
    list(stream.beginning())
    ticks = [each for each in stream.ticks(0, N_TICKS) if each.topic == "tick"]
    with recorder.open(file) as recording:
        assert "c_applied" not in recording.file["acquisition"]
        for name in ("c_natural", "h_natural", "c_applied", "h_applied"):
            sent = np.stack([each.arrays[name] for each in ticks])
            assert recording.values(name).tobytes() == sent.tobytes()
            for rows, columns in (
                (slice(20, 300, 7), slice(440, 470, 3)),
                (slice(3, 9), 511),
                (slice(80, 81), -1),
                (slice(0, 0), None),
            ):
                shown = sent[rows] if columns is None else sent[rows, columns]
                np.testing.assert_array_equal(recording.block(name, rows, columns), shown)
        changed = recording.values("c_applied") != recording.values("c_natural")
        assert 0 < changed.mean() < 0.2


def test_nothing_critical_is_found_in_it(file: Path) -> None:
    """By nwbinspector, which asks pynwb's validator as well; docs/recording.md answers what it finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import inspect_nwbfile

        found = {each.check_function_name for each in inspect_nwbfile(nwbfile_path=str(file))}
    assert found <= {
        "check_regular_timestamps",
        "check_processing_module_name",
        "check_single_row",
    }


def test_spikes_say_that_they_are_emulated_where_they_are_read(file: Path, tmp_path: Path) -> None:
    """In the units' table itself; spikeinterface finds the sampling frequency by itself."""
    from spikeinterface.extractors import read_nwb_sorting  # type: ignore[import-untyped]

    out = tmp_path / "spikes.nwb"
    n_spikes = write_spikes(file, out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sorting = read_nwb_sorting(out)
        counts = sorting.count_num_spikes_per_unit()
        with NWBHDF5IO(str(out), "r") as io:
            nwb = io.read()
            assert "EMULATED" in nwb.units.description
            assert "EMULATED" in nwb.units["spike_times"].target.description
            times_s = nwb.units["spike_times"][5]
        loaded = nap.load_file(str(out))
        assert "behaviour_run" in loaded
        assert "stimulus_o_sham" in loaded
    assert sum(counts.values()) == n_spikes
    assert sorting.get_num_units() == 512
    found_s = sorting.get_unit_spike_train(sorting.unit_ids[5], return_times=True)
    np.testing.assert_allclose(found_s, times_s, atol=1e-6)
    assert nwb_problems(out) == []
