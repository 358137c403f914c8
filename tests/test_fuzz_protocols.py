"""Protocol files that are hostile, odd or random: read, or refused by a sentence that says where."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.errors import UserError
from stim.protocol.detector_keys import DETECTOR
from stim.protocol.explain import explain
from stim.protocol.keys import BLOCK, PROTOCOL, RULE
from stim.protocol.source import MAX_BYTES
from stim.protocol.stimulus_keys import STIMULUS
from stim.protocol.trigger_keys import CONDITION_KEYS, EVENT_KEYS
from tests.protocol_texts import BASE, LAYERS, PLACED, SHIPPED, TASKS, load, read

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=120)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00\x01",
        b"protocol: caf\xe9\n",
        b"protocol: p\n" + b"# " + b"x" * MAX_BYTES,
        b"[" * 200_000,
        b"a: &a [x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (i, i) for i in range(200)),
        b"- a\n" * 120_000,
        b"? " * 50_000,
        b"%YAML 9.9\n---\na: 1\n",
        bytes(range(256)),
    ],
)
def test_hostile_files_are_refused_soon_by_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(data)
    began_s = time.perf_counter()
    with pytest.raises(UserError) as refused:
        load(path, TASKS, LAYERS)
    assert time.perf_counter() - began_s < 60  # a hang, not a speed, is what this is about
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: \S", str(refused.value))


def test_places_of_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"protocol: p\nsubject: caf\xe9\n")
    with pytest.raises(UserError, match=r":2:13: the file is not UTF-8"):
        load(path, TASKS, LAYERS)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load(path, TASKS, LAYERS).name == "p"
    assert read("\ufeff" + BASE).name == "p"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "first_light.yaml").write_text(BASE)
    with pytest.raises(UserError, match=r"no protocol file .*; did you mean 'first_light.yaml'"):
        load(tmp_path / "first_ligth.yaml", TASKS, LAYERS)
    with pytest.raises(UserError, match="is not a file"):
        load(tmp_path, TASKS, LAYERS)
    with pytest.raises(UserError, match="is not a file"):
        load(Path("/dev/zero"), TASKS, LAYERS)
    with pytest.raises(UserError):
        load(tmp_path / "a\0b.yaml", TASKS, LAYERS)


def read_or_refuse(text: str) -> None:
    try:
        protocol = read(text)
    except UserError as refused:
        for line in str(refused).splitlines():
            assert PLACED.fullmatch(line), line
    else:
        assert explain(protocol)


@relaxed
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)


pieces = [*"abon:,-[]{}&*!|>%@`'\"#?~ \n\t0129.eE+_\\", "on: ", "run.onset", "\n  ", "- "]
yamlish = st.lists(st.sampled_from(pieces), max_size=100).map("".join)


@relaxed
@given(yamlish)
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)
    read_or_refuse(BASE + text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A shipped protocol with a few stretches of it cut, doubled, or replaced."""
    text = draw(st.sampled_from(SHIPPED)).read_text()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 30)))
        new = draw(st.one_of(yamlish, st.just(""), st.just(text[start:end] * 2)))
        text = text[:start] + new + text[end:]
    return text


@relaxed
@given(mutated())
def test_any_change_to_a_shipped_protocol_is_read_or_refused(text: str) -> None:
    read_or_refuse(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["run", "run.onset", "cell", "core", "s", "all", "corridor", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *sorted(
                        {
                            *PROTOCOL.keys,
                            *DETECTOR.keys,
                            *STIMULUS.keys,
                            *RULE.keys,
                            *EVENT_KEYS.keys,
                            *CONDITION_KEYS.keys,
                            *BLOCK.keys,
                        }
                    ),
                    *("run", "s", "min_up", "off", "first", "random", "top", "mean", "average"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@relaxed
@given(values)
def test_any_structure_is_read_or_refused(value: object) -> None:
    text = json.dumps(value).replace("Infinity", ".inf").replace("NaN", ".nan")
    read_or_refuse(text)
