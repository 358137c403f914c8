"""The loop that all learning stages share: checkpoints, reports, resumed steps, and what is left out."""

from __future__ import annotations

import pytest
import torch

from training.learn import training_loop
from training.learn.training_loop import Counts, TrainingLoop, gradient_step


def fitted(path, total: int, targets, stop_after: int | None = None):
    """Fit one weight by Adam, for so many steps; returns it, the loop, the steps taken and the reports."""
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 1, bias=False)
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    loop = TrainingLoop(path, total, network, optimiser)
    taken, reports = [], []
    for step in loop.steps(
        lambda fraction: reports.append((fraction, loop.counts.skipped_updates))
    ):
        loss = (network.weight - targets[step]).pow(2).sum()
        updated = gradient_step(optimiser, loss, [[*network.parameters()]])
        loop.counts.skipped_updates += not updated
        taken.append(step)
        if len(taken) == stop_after:
            break
    return network.weight.item(), loop, taken, reports


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "CHECKPOINT_EVERY_S", 0.0)
    targets = [1.0, float("nan"), 2.0, 3.0, float("nan"), 1.0]
    whole, loop, taken, reports = fitted(tmp_path / "whole", 6, targets)
    assert taken == [0, 1, 2, 3, 4, 5]
    assert loop.counts == Counts(skipped_updates=2)
    assert reports == [(pytest.approx((k + 1) / 6), n) for k, n in enumerate((0, 1, 1, 1, 2, 2))]
    # the fourth step was not finished: it is taken again
    fitted(tmp_path / "part", 6, targets, stop_after=4)
    resumed, loop, taken, _ = fitted(tmp_path / "part", 6, targets)
    assert taken == [3, 4, 5]
    assert loop.counts == Counts(skipped_updates=2)
    assert resumed == whole
    assert fitted(tmp_path / "part", 6, targets)[2] == []


def test_a_checkpoint_is_written_at_the_end_and_not_before_it_is_due(tmp_path):
    path = tmp_path / "one"
    fitted(path, 3, [1.0] * 3, stop_after=2)
    assert not path.exists()
    fitted(path, 3, [1.0] * 3)
    assert path.exists()


def test_reports_come_as_seldom_as_asked_and_after_the_last_step():
    network = torch.nn.Linear(1, 1)
    loop = TrainingLoop(None, 8, network, torch.optim.Adam(network.parameters()))
    reports: list[float] = []
    for _ in loop.steps(reports.append, report_every=3):
        pass
    assert reports == [1 / 8, 4 / 8, 7 / 8, 1.0]
    loop = TrainingLoop(None, 8, network, torch.optim.Adam(network.parameters()))
    reports.clear()
    for _ in loop.steps(reports.append, report_every_s=60.0):
        pass
    assert reports == [1.0]


def test_an_update_with_a_gradient_that_is_not_finite_changes_nothing():
    network = torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(network.parameters())
    before = network.weight.detach().clone()
    assert not gradient_step(
        optimiser, network(torch.tensor([torch.inf, 1.0])).sum(), [[network.weight]]
    )
    assert torch.equal(network.weight, before)
    assert not optimiser.state
    assert gradient_step(optimiser, network(torch.ones(2)).sum(), [[network.weight]])
    assert not torch.equal(network.weight, before)


def test_what_was_left_out_is_said_where_there_is_something():
    assert str(Counts()) == ""
    assert str(Counts(skipped_updates=2, lost_requests=1)) == ", 2 skipped updates, 1 lost requests"
    assert Counts(lost_requests=1).scalars()["counts/lost_requests"] == 1.0
