"""The fleet: one process or Ray actors give the same; dead actors are replaced; no cluster is told."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from agent.errors import SubjectError
from parallel import ray_cluster
from parallel.errors import ClusterError
from training.rollout import actor_pool
from training.rollout.actor_pool import AHEAD, Fleet, Order

PROMISED_S = ray_cluster.ANSWER_S + ray_cluster.HEALTH_S


@dataclass(frozen=True)
class Told:
    """What a counting worker sends back."""

    worker: int
    process: int
    version: int
    total: float
    ticks: int
    own_spread: bool
    big: np.ndarray = field(compare=False)


class Counting:
    """A worker that adds up the weights that it has; `broken` ones fail."""

    def __init__(self, index: int, broken: str = "") -> None:
        self.index, self.broken = index, broken
        self.weights = None

    def live(self, weights, version, ticks, expert_part, own_spread, keep_pictures):
        if self.broken == "always":
            raise RuntimeError("the ground opened")
        if self.broken == "subject":
            raise SubjectError("there are no skills here")
        if weights is not None:
            self.weights = {name: np.array(value) for name, value in weights.items()}
        time.sleep(0.02)
        total = sum(float(value.sum()) for value in self.weights.values())
        big = np.full(100_000, total)
        return Told(self.index, os.getpid(), version, total, ticks, own_spread, big)


def weights(value: float) -> dict[str, np.ndarray]:
    return {"a": np.full((3, 4), value, np.float32), "b": np.full(8, value, np.float32)}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster that exists already, with two processors; gives its address."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--port", address.split(":")[1], "--num-cpus", "2", "--include-dashboard", "false",
        "--object-store-memory", "100000000", "--disable-usage-stats",
    ]  # fmt: skip
    # actors import this module by name
    here = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    head = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": here},
    )  # fmt: skip
    patience = pytest.MonkeyPatch()
    patience.setattr(ray_cluster, "HEALTH_S", 40.0)  # the machine may be busy
    limit = time.monotonic() + 90
    while True:
        try:
            ray_cluster.probe(address)
            break
        except ClusterError:
            if time.monotonic() > limit:
                head.kill()
                raise
            time.sleep(0.5)
    yield address
    patience.undo()
    head.terminate()
    try:
        head.wait(20)
    except subprocess.TimeoutExpired:
        head.kill()


def test_one_worker_lives_here_with_the_newest_weights():
    with Fleet(Counting, 1) as fleet:
        for version, value in enumerate((1.0, 2.0), start=1):
            fleet.publish(weights(value))
            for _ in range(2):
                arrival = fleet.next(Order(ticks=7, own_spread=True))
                assert arrival.lived == Told(
                    0, os.getpid(), version, 20 * value, 7, True, np.zeros(0)
                )
                assert (arrival.worker, arrival.age) == (0, 0)


def test_two_processes_on_a_cluster_started_here(capfd):
    said: list[str] = []
    with Fleet(Counting, 2, "local", said.append) as fleet:
        fleet.publish(weights(1.0))
        processes = fleet.processes()
        assert len({*processes, os.getpid()}) == 3
        seen = [fleet.next(Order(ticks=5)) for _ in range(10)]
        assert {arrival.lived.process for arrival in seen} == set(processes)
        assert {arrival.lived.total for arrival in seen} == {20.0}
        # what is kept does not hold Ray's shared memory, which would fill
        assert all(arrival.lived.big.flags.owndata for arrival in seen)
        assert seen[0].lived.big[-1] == 20.0

        # new weights: what was ordered before comes first, with the weights of then, and says so
        fleet.publish(weights(2.0))
        late = [fleet.next(Order(ticks=6)) for _ in range(2 * AHEAD + 4)]
        for arrival in late:
            assert arrival.lived.total == 20.0 * arrival.lived.version
            assert arrival.age == 2 - arrival.lived.version
        assert [arrival.age for arrival in late[-4:]] == [0] * 4
        assert late[-1].lived.ticks == 6

        out, err = capfd.readouterr()
        assert out + err == ""

        # a death: the other goes on, and the new one is given the weights, which it has never had
        os.kill(processes[0], signal.SIGKILL)
        limit = time.monotonic() + 30
        arrival = fleet.next(Order(ticks=5))
        while arrival.worker != 0 or arrival.lived.process == processes[0]:
            assert time.monotonic() < limit
            arrival = fleet.next(Order(ticks=5))
        assert arrival.lived.total == 40.0
        after = fleet.processes()
        assert after[0] != processes[0]
        assert after[1] == processes[1]
        assert fleet.deaths == 1
    assert len(said) == 1
    assert said[0].startswith("worker 0 failed and was replaced: ")


def test_a_worker_that_never_succeeds_ends_the_training_with_its_reason(cluster, monkeypatch):
    # every failure costs the start of a process; that others are replaced is tested above
    monkeypatch.setattr(actor_pool, "DEATHS", 1)
    said: list[str] = []
    with Fleet(partial(Counting, broken="always"), 1, cluster, said.append) as fleet:
        fleet.publish(weights(1.0))
        with pytest.raises(SubjectError, match=r"worker 0 failed 1 times .* the ground opened"):
            fleet.next(Order(ticks=5))
        assert said == []


def test_a_workers_own_sentence_comes_through(cluster):
    with Fleet(partial(Counting, broken="subject"), 1, cluster) as fleet:
        fleet.publish(weights(1.0))
        with pytest.raises(SubjectError, match=r"^there are no skills here$"):
            fleet.next(Order(ticks=5))


def test_a_cluster_too_small_is_told(cluster):
    with pytest.raises(SubjectError, match=rf"3 workers .* {re.escape(cluster)} has 2"):
        Fleet(Counting, 3, cluster)


def test_an_address_where_nothing_listens_is_told_at_once():
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    with pytest.raises(ClusterError, match=rf"^no Ray cluster answers at {address} .*refused"):
        Fleet(Counting, 2, address)
    assert time.monotonic() - began < 5


def test_an_address_where_something_else_listens_is_told(monkeypatch):
    assert PROMISED_S <= 10
    monkeypatch.setattr(ray_cluster, "HEALTH_S", 3.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ClusterError, match="does not answer as a Ray cluster"):
            Fleet(Counting, 2, address)


def test_a_cluster_that_does_not_come_up_is_tried_again_and_then_told(monkeypatch):
    import ray  # not before the fleet has said how quiet it is

    tried = []

    def init(**how):
        tried.append(how)
        raise Exception("The current node timed out during startup.\nand so on")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ClusterError, match=r"local cannot be used: .* timed out during startup\.$"):
        Fleet(Counting, 2, "local")
    assert len(tried) == ray_cluster.STARTS
    assert not tried[0]["include_dashboard"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("address", ["", "somewhere", "ray://10.0.0.1:1", "a b:1", "h:99999999"])
def test_an_address_that_is_none_is_told(address):
    with pytest.raises(ClusterError, match="a Ray address is 'local' or host:port"):
        Fleet(Counting, 1, address)


def test_more_workers_than_this_process_can_hold_are_told():
    with pytest.raises(SubjectError, match="2 workers need Ray"):
        Fleet(Counting, 2)
    with pytest.raises(SubjectError, match="at least one worker"):
        Fleet(Counting, 0)
