"""What baseline recordings give a session, as the file in the session's folder: made, read, refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import RunError
from stim.stimuli.baselines import BaselineRequest, BaselineUsed, Span, Values, read, write

NAMES = st.text(max_size=20)
SPANS = st.builds(Span, during=NAMES, begin=NAMES, end=NAMES)
WANTED = st.builds(
    BaselineRequest,
    baseline=NAMES,
    kind=st.sampled_from(["mean", "ranking", "template"]),
    layer=NAMES,
    state=st.sampled_from(["c", "h"]),
    span=SPANS,
    around=NAMES,
    before_ms=st.floats(0, 500),
    after_ms=st.floats(0, 500),
)
USED = st.builds(
    BaselineUsed,
    name=NAMES,
    path=NAMES,
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def _value(request: BaselineRequest, n_units: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    if request.kind == "ranking":
        return random.permutation(n_units)
    ticks = (request.before_ticks + request.after_ticks,) if request.kind == "template" else ()
    return random.standard_normal((*ticks, n_units), np.float32)


@TMP
@given(st.lists(WANTED, max_size=6, unique=True), st.lists(USED, max_size=3), st.integers(1, 200))
def test_what_is_written_is_what_is_read(
    tmp_path: Path, request: list[BaselineRequest], used: list[BaselineUsed], n_units: int
) -> None:
    values: Values = {each: _value(each, n_units, k) for k, each in enumerate(request)}
    write(tmp_path / "baselines", values, tuple(used))
    found, sources = read(tmp_path / "baselines")
    assert list(found) == request
    assert sources == tuple(used)
    for each in request:
        assert np.array_equal(found[each], values[each])
        assert found[each].dtype == (np.int64 if each.kind == "ranking" else np.float32)


@TMP
@given(data=st.data())
def test_a_damaged_file_is_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    mean = BaselineRequest("b", "mean", "core", "c", Span("rear"))
    ranking = BaselineRequest("b", "ranking", "core", "c", Span("rear"))
    path = tmp_path / "baselines"
    write(path, {mean: np.ones(8, np.float32), ranking: np.arange(8)}, ())
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(
        st.sampled_from([whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole + b"\0"])
    )
    path.write_bytes(damaged)
    values: Values = {}
    refused = ""
    try:
        values, _ = read(path)
    except RunError as problem:
        refused = str(problem)
    assert "\n" not in refused
    assert not refused or str(path) in refused
    # what still reads is sound: a damaged number is a number, a damaged name a name
    for request, array in values.items():
        if request.kind == "ranking":
            assert sorted(array.tolist()) == list(range(8))
        else:
            assert np.isfinite(array).all()


def test_values_that_must_not_reach_the_subject_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "baselines"
    mean, ranking = (
        BaselineRequest("b", "mean", "core", "c"),
        BaselineRequest("b", "ranking", "core", "c"),
    )
    for request, array, complaint in (
        (mean, np.array([1, np.nan]), "finite"),
        (mean, np.array([np.inf]), "finite"),
        (mean, np.zeros((2, 2)), "shape"),
        (mean, np.zeros(0), "shape"),
        (ranking, np.array([0, 0]), "each unit once"),
        (ranking, np.array([1, 2]), "each unit once"),
    ):
        write(path, {request: array}, ())
        with pytest.raises(RunError, match=complaint):
            read(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "baselines"
    with pytest.raises(RunError, match="cannot be read"):
        read(path)
    newer = {"version": 3, "values": [], "used": []}
    stranger = {"version": 2, "values": [], "used": [], "code": "print()"}
    for content, complaint in ((newer, "version 3"), (stranger, "does not hold"), ([], "does not")):
        path.write_bytes(msgspec.msgpack.encode(content))
        with pytest.raises(RunError, match=complaint):
            read(path)


def test_a_template_has_the_ticks_that_were_asked_for() -> None:
    def ticks(before_ms: float, after_ms: float) -> tuple[int, int]:
        request = BaselineRequest(
            "b", "template", "core", "c", before_ms=before_ms, after_ms=after_ms
        )
        return request.before_ticks, request.after_ticks

    assert ticks(100, 400) == (5, 20)
    assert ticks(0, 0) == (0, 1)
    assert ticks(29, 30) == (1, 2)
