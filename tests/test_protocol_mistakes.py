"""What is refused in a protocol file: each mistake with its place, all at once."""

from __future__ import annotations

import pytest

from tests.protocol_texts import (
    BASE,
    PROTOCOLS,
    error,
    errors,
    rule,
    stimulus,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            BASE + "duraton_s: 3\n",
            "p.yaml:4:1: unknown key 'duraton_s' in a protocol; did you mean",
        ),
        (
            BASE.replace("corridor", "coridor"),
            "p.yaml:3:7: there is no task 'coridor'; did you mean",
        ),
        (stimulus("lesion: core, units: all, state: cell"), "'state' does not belong to lesion"),
        (stimulus("bias: core, units: all, state: cell"), "bias needs the key 'by'"),
        (
            stimulus("clamp: core, units: {top: 4, by: run}, to: 0, state: cell"),
            "top needs the key 'in'",
        ),
        (
            stimulus("clamp: core, units: {top: 4, by: run, in: quiet}, to: 0, state: cell"),
            "there is no baseline 'quiet'; there are no baselines",
        ),
        (
            stimulus("clamp: core, units: all, to: {mean: q, from: run}, state: cell")
            + "baselines: {q: {recording: q.nwb}}\n",
            "'from' and 'until' go together",
        ),
        (
            stimulus(
                "gain: core, units: all, by: 2, state: cell, pulses: {width_ms: 60, rate_hz: 20}"
            ),
            "leave no gap",
        ),
        (stimulus("noise: core, units: all, sd: -1, state: cell"), "it has to be from 0 to 1000"),
        (
            stimulus("overwrite: core, units: all, with: {file: no.csv}, state: cell"),
            "the time course no.csv cannot be read: No such file",
        ),
        (rule("on: {time_ms: 5, key: s}, do: s"), "'time_ms' and 'key' exclude each other"),
        (rule("on: {key: s, lead_ms: 40}, do: s"), "'lead_ms' does not belong to key"),
        (rule("on: {forecast: rear}, do: s"), "forecast needs the key 'lead_ms'"),
        (rule("on: {forecast: reer, lead_ms: 40}, do: s"), "did you mean 'rear'?"),
        (rule("on: {forecast: first_tap, lead_ms: 40}, do: s"), "cannot be foretold"),
        (rule("on: {task: first_tap}, do: s"), "there is no task event 'first_tap'"),
        (
            rule("on: {activity: core, units: all, state: cell}, do: s"),
            "an activity needs a level: 'above', 'below', or both",
        ),
        (
            rule("on: run.onset, if: {not: runn}, do: s"),
            "there is no behaviour 'runn'; did you mean",
        ),
        (rule("on: run.onset, if: {within_ms: 5}, do: s"), "within_ms needs the key 'of'"),
        (rule("on: run.onset, in: control, do: s"), "there is no condition 'control'"),
        (
            BASE + "blocks:\n  - {conditions: [a, b], trials: 5}\n",
            "5 trials cannot be shared out evenly among 2 conditions",
        ),
        (BASE + "blocks:\n  - {conditions: [a, a], trials: 4}\n", "named twice"),
        (BASE + "loop_latency_ms: {mean: 3}\n", "a latency needs the key 'sd'"),
        (BASE + "baselines: {q: {recording: a, sha256: 12x}}\n", "a SHA-256 is 64 digits"),
        (
            stimulus("clamp: core, units: all, to: 0, state: cell").replace("  s:", "  outside:"),
            "'outside' is what stimuli of other programs are called",
        ),
        (BASE + "trials: -1\n", "p.yaml:4:9: 'trials' is -1; it has to be from 1 to"),
        (BASE + "trials: 2.5\n", "has to be a whole number"),
        (BASE + "trial_s: .nan\n", "has to be a finite number"),
        (BASE + "trial_s: -.inf\n", "has to be a finite number"),
        (BASE + "trial_s: 1e999\n", "has to be a finite number"),
        (BASE + "trial_s: true\n", "has to be a number, not true"),
        (BASE + "seed: '1'\n", "has to be a whole number, not the text '1'"),
        (BASE + "task: gaps\n", "p.yaml:4:1: the key 'task' is already given in line 3"),
        (BASE + "rules: {on: 3}\n", "'rules' has to be a list, not a mapping"),
        (BASE.replace("p\n", "12\n", 1), "has to be text, not 12; put it in quotes"),
        (BASE + "detectors: {x: {behaviour: runs}}\n", "no behaviour 'runs'; did you mean 'run'?"),
        (BASE + "detectors: {walk: {behaviour: run}}\n", "a detector of 'run' needs another name"),
        (BASE + "detectors: {trial: {behaviour: run}}\n", "cannot be named 'trial'"),
        (BASE + "detectors: {a b: {behaviour: run}}\n", "'a b' cannot be a name"),
        (
            BASE + "detectors: {x: {behaviour: run, thresholds: {min_speed: 1}}}\n",
            "p.yaml:4:46: there is no threshold 'min_speed'; did you mean 'min_forward_speed'?",
        ),
        (
            BASE + "detectors: {x: {behaviour: run, thresholds: {min_up: {on: 0, off: 1}}}}\n",
            "'on' of 'min_up' has to be above its 'off'",
        ),
        (stimulus("clamp: policy2, units: all, to: 0, state: cell"), "did you mean 'policy_2'?"),
        (stimulus("clamp: core, units: [128], to: 0, state: cell"), "there is no unit 128 in core"),
        (
            stimulus("clamp: core, units: [3, 3], to: 0, state: cell"),
            "unit 3 is already in the list",
        ),
        (stimulus("clamp: core, units: [-1], to: 0, state: cell"), "it has to be from 0 to"),
        (stimulus("clamp: core, units: [], to: 0, state: cell"), "has 0 entries"),
        (stimulus("clamp: core, units: {first: 129}, to: 0, state: cell"), "core has 128 units"),
        (stimulus("clamp: core, units: {random: 1, first: 1}, to: 0, state: cell"), "exclude each"),
        (
            stimulus("clamp: core, units: {seed: 1}, to: 0, state: cell"),
            "needs 'first' or 'random'",
        ),
        (
            stimulus("clamp: core, units: {first: 1, seed: 1}, to: 0, state: cell"),
            "does not belong",
        ),
        (stimulus("clamp: core, units: most, to: 0, state: cell"), "'units' cannot be 'most'"),
        (stimulus("clamp: core, units: all, state: cell"), "clamp needs the key 'to'"),
        (
            stimulus("clamp: core, units: all, to: 0, with: [1], state: cell"),
            "'with' does not belong",
        ),
        (stimulus("clamp: core, units: all, to: .inf, state: cell"), "has to be a finite number"),
        (stimulus("units: all, to: 0, state: cell"), "a stimulus needs 'clamp' or 'overwrite'"),
        (
            stimulus("clamp: core, overwrite: core, units: all, to: 0, state: cell, with: [1]"),
            "exclude",
        ),
        (stimulus("overwrite: core, units: all, state: cell"), "overwrite needs the key 'with'"),
        (stimulus("overwrite: core, units: [1, 2], with: [[1], [1, 2]], state: cell"), "2 values"),
        (
            stimulus("overwrite: core, units: [1, 2], with: [[1]], state: cell"),
            "1 time courses for 2",
        ),
        (stimulus("overwrite: core, units: [1, 2], with: [1, [1]], state: cell"), "not both"),
        (stimulus("overwrite: core, units: [1, 2], with: [], state: cell"), "has 0 entries"),
        (rule("on: runn.onset, do: s"), "no trigger 'runn.onset'; did you mean 'run.onset'?"),
        (rule("on: run, do: s"), "there is no trigger 'run'"),
        (rule("on: run.onset, do: silence"), "no stimulus 'silence'; the stimuli are s, clip"),
        (rule("on: run.onset, do: s, probability: 1.1"), "it has to be from 0 to 1"),
        (rule("on: run.onset, do: s, after_ms: -20"), "it has to be from 0 to"),
        (rule("on: run.onset, do: s, for_ms: 0"), "it has to be from 20 to"),
        (rule("on: run.onset, do: s, else: sham"), "'else' needs a 'probability'"),
        (rule("on: run.onset, do: s, seconds: 3"), "'seconds' belongs to 'do: clip'"),
        (rule("on: run.onset, do: clip, for_ms: 20"), "'for_ms' does not belong to 'do: clip'"),
        (rule("on: run.onset, do: clip, seconds: 61"), "it has to be from 0.02 to 60 s"),
        (rule("on: run.onset, do: clip, after_ms: 61000"), "at most 60000 ms after its trigger"),
        (rule("on: {time_s: 3}, do: s"), "did you mean 'time_ms'?"),
        (rule("do: s"), "a rule needs the key 'on'"),
        ("", "the file is empty"),
        ("- protocol\n", "a protocol begins with"),
        (BASE + "---\nx: 1\n", "holds one document"),
        (BASE + "description: *all\n", "anchors and aliases"),
        (BASE + "description: !!python/name:os.system x\n", "tags are not used"),
        (BASE + "trials: [1\n", "this is not YAML"),
        (BASE + "stimuli:\n  - a\n b: 1\n", "not indented as those that it belongs to"),
        (BASE + "session_s: 5\n", "the keys here are"),
        (BASE + "\ttrials: 1\n", "a tab cannot be used here"),
        (BASE + "description: \x07\n", "p.yaml:4:14: there is a character here"),
        (BASE + "? [a, b]\n: 1\n", "a key has to be a word, not a list"),
        (BASE + "x: " + "[" * 400, "nested deeper than 16"),
    ],
)
def test_a_mistake_is_said_where_it_is(text: str, message: str) -> None:
    assert any(message in line for line in errors(text)), errors(text)


def test_all_mistakes_are_said_at_once_and_in_order() -> None:
    lines = errors(
        "protocol: p\nsubject: runner\ntask: coridor\nduraton_s: 3\n"
        "stimuli:\n  s: {clamp: policy2, units: [1, 500], to: 0, state: cel}\n"
        "rules:\n  - {on: run.onset, do: t, probability: 2}\n"
    )
    assert [line.split(":")[1] for line in lines] == ["3", "4", "6", "6", "8", "8"]


def test_one_slip_is_one_message() -> None:
    text = (PROTOCOLS / "first_light.yaml").read_text()
    assert "did you mean 'cell'" in error(text.replace("state: cell", "state: cel"))
    assert "did you mean 'run.onset'" in error(text.replace("run.onset ", "run.onet "))
    assert "at most 64 are possible" in error(
        BASE
        + "stimuli:\n"
        + "".join(f"  s{i}: {{clamp: core, units: all, to: 0, state: cell}}\n" for i in range(65))
    )


def test_a_thousand_mistakes_are_not_a_thousand_lines() -> None:
    lines = errors(BASE + "".join(f"k{i}: 1\n" for i in range(1000)))
    assert len(lines) == 51
    assert lines[-1].endswith("950 more")
