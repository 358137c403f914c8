"""Protocol files: what is accepted, what is said about what is not, and that nothing else ever happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rig.errors import UserError
from stim.detectors.behaviours import BEHAVIOURS
from stim.protocol.explain import explain
from stim.protocol.read import (
    ProtocolTree,
    check_protocol,
    parse,
    read_protocol,
    with_settings,
    with_subject_and_task,
)
from stim.protocol.schema import json_schema
from stim.stimuli.stimuli import Units
from stim.triggers import BehaviourTransition, TrialTime
from tests.protocol_texts import (
    BASE,
    LAYERS,
    PROTOCOLS,
    SHIPPED,
    TASKS,
    error,
    errors,
    load,
    read,
    rule,
    stimulus,
)

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=120)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_protocols_are_valid_and_explained(path: Path) -> None:
    protocol = load(path, TASKS, LAYERS)
    assert (PROTOCOLS.parent / "subjects" / protocol.subject / "subject.toml").exists()
    words = explain(protocol)
    assert protocol.name in words
    assert all(name in words for name in protocol.stimulus_names)
    assert protocol.text == path.read_text(encoding="utf-8")


def test_first_light_says_what_the_issue_asks() -> None:
    protocol = load(PROTOCOLS / "first_light.yaml", TASKS, LAYERS)
    (rule,) = protocol.rules
    assert rule.on == BehaviourTransition("run", "onset")
    assert (rule.delay_ticks(), rule.duration_ticks) == (1, 25)
    assert (rule.probability, rule.sham) == (0.5, True)
    silence = rule.do
    assert (silence.kind, silence.layer, silence.state, silence.amount) == (
        "clamp",
        "policy_2",
        "cell",
        0,
    )
    assert len(set(silence.units.indices(128, session_seed=5).tolist())) == 64
    assert protocol.trial_s == 5
    words = explain(protocol)
    assert "500 ms (25 ticks), ticks k+1 to k+25" in words
    assert "64 units drawn at random (seed 1) of policy_2" in words
    assert "sham" in words


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_json_schema_accepts_what_the_validator_accepts(path: Path) -> None:
    json.dumps(json_schema())
    jsonschema.validate(YAML(typ="safe").load(path.read_text()), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        stimulus("clamp: core, units: [1], to: 0, state: sell"),
        stimulus("clamp: core, overwrite: core, units: [1], to: 0, state: cell"),
        rule("on: runn, do: s"),
        BASE + "trials: 0\n",
        BASE + "durations: 3\n",
        BASE.replace("subject: runner\n", ""),
    ],
)
def test_the_json_schema_refuses_what_the_validator_refuses(text: str) -> None:
    errors(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), json_schema())


@pytest.mark.parametrize(
    ("time_ms", "delay", "duration"),
    [(0, 1, None), (20, 1, 1), (29, 1, 1), (30, 2, 2), (50, 3, 3), (60, 3, 3), (500, 25, 25)],
)
def test_times_are_rounded_to_ticks_halfway_up(time_ms: int, delay: int, duration: int) -> None:
    (only,) = read(rule(f"on: run.onset, do: s, after_ms: {time_ms}")).rules
    assert only.delay_ticks() == delay
    assert only.duration_ticks is None
    if duration:
        (only,) = read(rule(f"on: run.onset, do: s, for_ms: {time_ms}")).rules
        assert only.duration_ticks == duration


def test_a_detector_changes_a_behaviour_or_adds_one() -> None:
    protocol = read(
        BASE + "detectors:\n"
        "  run: {behaviour: run, thresholds: {min_forward_speed: 0.6}, refractory_ms: 300}\n"
        "  dash: {behaviour: run, thresholds: {min_forward_speed: {on: 0.9, off: 0.5}}}\n"
    )
    assert protocol.behaviour_names == (*(each.name for each in BEHAVIOURS), "dash")
    run, dash = protocol.behaviours[2], protocol.behaviours[-1]
    assert run.thresholds[0].on == 0.6
    assert run.thresholds[0].off == pytest.approx(0.48)  # keeps its distance of 0.12 m/s
    assert run.refractory_ms == 300
    assert (dash.thresholds[0].on, dash.thresholds[0].off) == (0.9, 0.5)


def test_the_word_on_is_a_key_and_not_true() -> None:
    (only,) = read(rule("on: {time_ms: 2000}, do: s")).rules
    assert only.on == TrialTime(2000.0)
    assert only.on.ticks == 100


def test_units_are_chosen_as_written() -> None:
    def units(text: str) -> Units:
        (found,) = read(stimulus(f"clamp: core, units: {text}, to: 0, state: cell")).stimuli
        return found.units

    assert units("all").indices(5, 0).tolist() == [0, 1, 2, 3, 4]
    assert units("{first: 3}").indices(128, 0).tolist() == [0, 1, 2]
    assert units("[7, 3]").indices(128, 0).tolist() == [7, 3]
    fixed, free = units("{random: 64, seed: 1}"), units("{random: 64}")
    assert fixed.indices(128, 5).tolist() == fixed.indices(128, 6).tolist()
    assert free.indices(128, 5).tolist() != free.indices(128, 6).tolist()
    assert free.indices(128, 1).tolist() == fixed.indices(128, 5).tolist()


def test_unknown_layers_are_accepted_only_where_the_layers_are_not_known() -> None:
    text = stimulus("clamp: policy_9, units: [999], to: 0, state: cell")
    assert parse(text, "p.yaml").stimuli[0].layer == "policy_9"
    assert "there is no layer 'policy_9'; did you mean 'policy_" in error(text)


def test_an_unknown_subject_does_not_hide_the_other_mistakes() -> None:
    def layers_of(subject: str) -> dict[str, int]:
        if subject != "runner":
            raise UserError(f"there is no subject {subject!r}")
        return LAYERS

    tree = read_protocol("protocol: p\nsubject: rat 7\ntask: nowhere\nrules: 7\n", "p.yaml")
    with pytest.raises(UserError) as refused:
        check_protocol(tree, TASKS, layers_of)
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["p.yaml:2:10", "p.yaml:3:7", "p.yaml:4:8"]
    assert lines[0].endswith("there is no subject 'rat 7'")
    assert check_protocol(read_protocol(BASE, "p.yaml"), TASKS, layers_of).subject == "runner"
    layer = "protocol: p\nsubject: rat 7\ntask: corridor\nstimuli:\n  s: {lesion: policy_9, units: all}\n"
    with pytest.raises(UserError, match="there is no layer 'policy_9'"):
        check_protocol(read_protocol(layer, "p.yaml"), TASKS, layers_of)
    missing = read_protocol("protocol: p\nsubjet: rat 7\ntask: 7\n", "p.yaml")
    with pytest.raises(UserError) as refused:
        check_protocol(missing, TASKS, layers_of)
    assert len(str(refused.value).splitlines()) == 3


def test_another_subject_or_task_stands_in_the_text_that_is_recorded() -> None:
    text = "protocol: p\nsubject: runner  # who\ntask: corridor\ntrial_s: 5\n"
    tree = with_subject_and_task(read_protocol(text, "p.yaml"), "rat 7", "gaps")
    assert tree.text == 'protocol: p\nsubject: "rat 7"  # who\ntask: gaps\ntrial_s: 5\n'
    protocol = check_protocol(tree)
    assert (protocol.subject, protocol.task, protocol.text) == ("rat 7", "gaps", tree.text)
    assert with_subject_and_task(tree).text == tree.text
    with pytest.raises(UserError, match=r"p.yaml has no subject that could be replaced"):
        with_subject_and_task(read_protocol("task: gaps", "p.yaml"), "runner")


def test_blinding_is_a_key_of_its_own() -> None:
    blinded = parse(BASE + "blinded: true\n", "p.yaml")
    assert blinded.blinded
    assert "Blinded: until the session's end" in explain(blinded)
    assert not parse(BASE, "p.yaml").blinded
    assert "'blinded' has to be true or false, not the text 'yes'" in error(BASE + "blinded: yes\n")
    schema = json_schema()
    tree = YAML(typ="safe").load(BASE)
    jsonschema.validate({**tree, "blinded": True}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**tree, "blinded": "yes"}, schema)


def test_a_tree_is_checked_as_often_as_one_likes() -> None:
    tree = read_protocol(BASE + "seed: 1\nseed: 2\ntrials: x\n", "p.yaml")
    messages = []
    for _ in range(2):
        with pytest.raises(UserError) as refused:
            check_protocol(tree)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert len(messages[0].splitlines()) == 2


def changed(text: str, path: str = "p.yaml", **settings: str) -> ProtocolTree:
    return with_settings(read_protocol(text, path), settings)


def test_parameters_are_values_that_can_be_changed() -> None:
    text = (
        "# units: 3\nprotocol: p\nparameters: {units: 64, layer: 'policy_2', who: runner}\n"
        "subject: $who\ntask: corridor\nstimuli:\n"
        "  s: {clamp: $layer, units: {first: $units}, to: 0, state: cell}\n"
    )
    tree = read_protocol(text, "p.yaml")
    assert tree.parameters == {"units": "64", "layer": "policy_2", "who": "runner"}
    (stimulus,) = check_protocol(tree).stimuli
    assert (stimulus.layer, stimulus.units.count) == ("policy_2", 64)
    other = check_protocol(changed(text, units="8", layer="core"))
    (stimulus,) = other.stimuli
    assert (stimulus.layer, stimulus.units.count) == ("core", 8)
    assert other.text == text.replace("64", "8").replace("'policy_2'", "core")
    assert other.subject == "runner"
    with pytest.raises(UserError, match=r"p.yaml has no parameter 'unit'; did you mean 'units'\?"):
        changed(text, unit="8")
    assert "there is no parameter 'unit'; did you mean 'units'?" in error(
        text.replace("$units", "$unit")
    )
    assert ":7:37: there are not 900 units" in error(text.replace("64", "900"))
    with pytest.raises(UserError, match=":7:37: there are not 900 units"):
        check_protocol(changed(text, units="900"), TASKS, LAYERS)


@relaxed
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.sampled_from(
        ["1", "long one", "'in quotes'", '"\\u00e9"', "|\n    of lines\n    two", ">-\n    x"]
    ),
)
def test_whatever_a_parameter_is_set_to_stays_that_one_value(value: str, before: str) -> None:
    text = (
        f"protocol: p\nparameters:\n  z: 3\n  a: {before}\n  b: 2\n"
        "subject: $a\ntask: corridor\nseed: $b\n"
    )
    try:
        tree = changed(text, a=value)
    except UserError:
        assert not value.strip() or not value.isprintable()
        return
    again = read_protocol(tree.text, "p.yaml")  # as the stimulation process will read it
    assert again.parameters == tree.parameters
    assert {k: v.span for k, v in again.parameter_nodes.items()} == {
        k: v.span for k, v in tree.parameter_nodes.items()
    }
    found = tree.parameters
    assert (found["z"], found["b"]) == ("3", "2")
    kept, asked = found["a"], value.strip()
    number = re.fullmatch(r"[-+.\deE]+", asked)
    assert kept == asked or (number and float(kept) == float(asked))
    twice = with_settings(tree, {"a": "7", "z": "11"})
    assert twice.text == changed(text, a="7", z="11").text


def test_parameters_of_a_python_protocol_are_changed_in_its_text() -> None:
    text = 'PROTOCOL = """\n' + BASE + 'parameters: {n: 3}\ntrials: $n\n"""\nx = 3\n'
    protocol = check_protocol(changed(text, "p.py", n="4"))
    assert (protocol.trials, protocol.is_script) == (4, True)
    assert protocol.text == text.replace("{n: 3}", "{n: 4}")
    for value in ('a"""b', r"\d"):  # would mean something else within Python's quotes
        with pytest.raises(UserError, match=r"p\.py has escapes in its PROTOCOL"):
            changed(text, "p.py", n=value)
