"""Training settings: what is wrong is one sentence with file, section and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import agent
from training import provenance, settings
from training.pipeline import train

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x", "cannot be read"),
        ("[dagger]\nlearning_starts = 0", "learning_starts is from 1"),
        (
            "[vector_env]\n[dagger]\ninit_from = 'a'\n[distillation]\nteacher = 'b'",
            "two ways to begin",
        ),
        ("[gate]\nstyle = 'trot'", "did you mean 'gait'"),
        ("[dagger]\nrolouts = 3", r"setting in \[dagger\] 'rolouts'; did you mean 'rollouts'"),
        ("gait = 3", r"\[gait\] is a section"),
        ("[dagger]\nlearning_rate = true", "dagger.learning_rate is a number, not True"),
        ("[dagger]\nrollouts = 'many'", "dagger.rollouts is a whole number, not 'many'"),
        ("[dagger]\nrollouts = -1", "dagger.rollouts cannot be negative"),
        ("[dagger]\nlearning_rate = nan", "negative"),
        ("[network]\npolicy_layers = 5", "1, 2 or 3"),
        ("[network]\nskip = 1", "true or false"),
        ("[gait]\nstyle = 'amble'", "'trot' or 'bound'"),
        ("name = 'a/b'", "name a folder"),
        ("name = 3", "name a folder"),
        ("name = '..'", "name a folder"),
        ("[vector_env]\ngaps = 0\nforage = 0\nescape = 0\ntwo_tap = 0", "at least one task"),
        ("[vector_env]\nstart_near_target = 3", r"\[vector_env\] start_near_target is a fraction"),
        ("[herd]\nnear = 3", "start_near_target is a fraction"),
        ("[herd]\n[vector_env]", "both 'herd' and 'vector_env'"),
        ("[dagger]\nema = 1", r"\[dagger\] ema is a fraction, from 0 to below 1"),
        ("[dagger]\ninit_from = 'a'\ninit_share = 1", "init_share is a fraction"),
        ("[dagger]\ninit_share = 0.5", "init_share needs init_from"),
        ("[dagger]\ninit_from = 'a'\ninit_share = 0.5", "init_share would have no effect"),
        ("[actors]\ncount = 0", "actors.count is at least 1"),
        ("[actors]\ncount = 101", "at most 100"),
        ("[actors]\nray = 'somewhere'", "actors.ray: a Ray address is 'local' or host:port"),
        ("[spinning]\npopulation = 1", "spinning.population is at least 2, not 1"),
        ("[running_leap]\nfast_cases = 0", "running_leap.fast_cases is at least 1"),
        ("[stepping]\nsteering_rollout_s = 0", "stepping.steering_rollout_s is at least 0.1"),
        ("[evaluation]\nepisodes = 0", r"\[evaluation\] episodes is at least 1"),
        ("[dagger]\nbatch_size = 0", r"\[dagger\] batch_size is at least 1"),
        ("[dagger]\nrecent_fraction = 2", r"\[dagger\] recent_fraction is a fraction"),
        ("[dagger]\ndiscount = 1", r"\[dagger\] discount is below 1"),
        ("[vision]\nimage_every = 0", r"\[vision\] image_every is at least 1"),
        ("[distillation]\nupdates = 0", r"\[distillation\] updates is at least 1"),
        ("[network]\nvision_channels = [1]", "list of 3"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(agent.SubjectError, match=words) as caught:
        train(path, work=tmp_path)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_the_hash_of_a_stage_covers_what_it_reads():
    """The environments of all stages that learn have the seed of [dagger]."""
    one = settings.Settings("a")
    other = replace(one, dagger=replace(one.dagger, seed=1))
    for stage in provenance.LEARNING_STAGES:
        hashes = {provenance.settings_sha256(each, stage) for each in (one, other)}
        assert len(hashes) == 2, stage


def test_missing_settings_and_the_committed_ones():
    with pytest.raises(agent.SubjectError, match="there is no settings file"):
        train("nowhere.toml")
    for name in ("runner", "rodent", "rodent_one_layer", "rodent_second"):
        assert settings.read(ROOT / "subjects" / f"{name}.toml").network == agent.load(name).config
