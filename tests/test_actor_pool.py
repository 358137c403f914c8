"""The actor pool: one process or Ray actors give the same; dead actors are replaced; errors of clusters."""

from __future__ import annotations

import importlib
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
from tests.rodent_rig import free_port
from training.rollout import actor_pool
from training.rollout.actor_pool import MAX_IN_FLIGHT, ActorPool, Request, Result

PROMISED_S = ray_cluster.ANSWER_S + ray_cluster.HEALTH_S


@dataclass(frozen=True)
class Counted:
    """What a counting actor sends back."""

    actor: int
    process: int
    version: int
    total: float
    ticks: int
    on_policy: bool
    big: np.ndarray = field(compare=False)
    replaced: int = 0


class Counting:
    """An actor that adds up the weights that it has; `broken` ones fail."""

    def __init__(self, index: int, replaced: int, broken: str = "") -> None:
        self.index, self.replaced, self.broken = index, replaced, broken
        self.weights = None

    def collect_rollout(self, weights, version, ticks, expert_fraction, on_policy, keep_images):
        if self.broken == "always":
            raise RuntimeError("the ground opened")
        if self.broken == "subject":
            raise SubjectError("there are no skills here")
        if weights is not None:
            self.weights = {name: np.array(value) for name, value in weights.items()}
        time.sleep(0.02)
        total = sum(float(value.sum()) for value in self.weights.values())
        big = np.full(100_000, total)
        return Counted(
            self.index, os.getpid(), version, total, ticks, on_policy, big, self.replaced
        )


def weights(value: float) -> dict[str, np.ndarray]:
    return {"a": np.full((3, 4), value, np.float32), "b": np.full(8, value, np.float32)}


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


def test_one_actor_in_this_process_has_the_newest_weights():
    with ActorPool(Counting, 1) as pool:
        for version, value in enumerate((1.0, 2.0), start=1):
            pool.publish(weights(value))
            for _ in range(2):
                result = pool.next(Request(ticks=7, on_policy=True))
                assert result.rollout == Counted(
                    0, os.getpid(), version, 20 * value, 7, True, np.zeros(0)
                )
                assert (result.actor, result.policy_lag) == (0, 0)


def _of_each(pool, processes, request):
    """Ten results, or more until each process has brought one: where cores are busy one may be far ahead."""
    seen = []
    until_s = time.monotonic() + 60
    while len(seen) < 10 or (
        {one.rollout.process for one in seen} != set(processes) and time.monotonic() < until_s
    ):
        seen.append(pool.next(request))
    assert {one.rollout.process for one in seen} == set(processes)
    return seen


@pytest.mark.parametrize("ray", [None, "local"])
def test_two_processes_of_this_machine(capfd, ray):
    """Without Ray, and on a cluster started here."""
    if ray:
        importlib.import_module("ray")  # as who uses it for other things does, before anything else
    said: list[str] = []
    with ActorPool(Counting, 2, ray, said.append) as pool:
        pool.publish(weights(1.0))
        processes = pool.process_ids()
        assert len({*processes, os.getpid()}) == 3
        seen = _of_each(pool, processes, Request(ticks=5))
        assert {(one.rollout.total, one.rollout.replaced) for one in seen} == {(20.0, 0)}
        # what is kept does not hold Ray's shared memory, which would fill
        assert all(result.rollout.big.flags.writeable for result in seen)
        assert seen[0].rollout.big[-1] == 20.0

        # new weights: what was asked for before comes first, with the older weights, and its policy lag
        pool.publish(weights(2.0))
        late: list[Result] = []
        while {one.rollout.process for one in late if one.rollout.version == 2} != set(processes):
            assert len(late) < 100, "the new weights did not come"
            late.append(pool.next(Request(ticks=6)))
            assert late[-1].rollout.total == 20.0 * late[-1].rollout.version
            assert late[-1].policy_lag == 2 - late[-1].rollout.version
            assert late[-1].rollout.ticks == (6 if late[-1].rollout.version == 2 else 5)
        assert sum(one.policy_lag for one in late) <= 2 * MAX_IN_FLIGHT

        if not ray:  # Ctrl-C, which a terminal sends to all: whether to end is the learner's to say
            for process in processes:
                os.kill(process, signal.SIGINT)
            _of_each(pool, processes, Request(ticks=6))

        out, err = capfd.readouterr()
        assert out + err == ""

        # a death: the other goes on, and the new one is given the weights, which it has never had; it knows
        # that it is not the first, so that it does not meet what that one met
        os.kill(processes[0], signal.SIGKILL)
        limit = time.monotonic() + 100
        result = pool.next(Request(ticks=5))
        while result.actor != 0 or result.rollout.process == processes[0]:
            assert time.monotonic() < limit
            result = pool.next(Request(ticks=5))
        assert (result.rollout.total, result.rollout.replaced) == (40.0, 1)
        after = pool.process_ids()
        assert after[0] != processes[0]
        assert after[1] == processes[1]
        assert pool.replaced_actors == 1
        assert 1 <= pool.lost_requests <= MAX_IN_FLIGHT
    assert len(said) == 1
    assert said[0].startswith("actor 0 failed and was replaced: ")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [("always", r"failed 1 times .* the ground opened"), ("subject", "^there are no skills here$")],
)
def test_without_ray_what_fails_says_why(monkeypatch, broken, sentence):
    monkeypatch.setattr(actor_pool, "MAX_FAILURES", 1)
    with ActorPool(partial(Counting, broken=broken), 2) as pool:
        pool.publish(weights(1.0))
        with pytest.raises(SubjectError, match=sentence):
            pool.next(Request(ticks=5))


def test_an_actor_that_never_succeeds_ends_the_training_with_its_reason(cluster, monkeypatch):
    # every failure costs the start of a process; that others are replaced is tested above
    monkeypatch.setattr(actor_pool, "MAX_FAILURES", 1)
    said: list[str] = []
    with ActorPool(partial(Counting, broken="always"), 1, cluster, said.append) as pool:
        pool.publish(weights(1.0))
        with pytest.raises(SubjectError, match=r"actor 0 failed 1 times .* the ground opened"):
            pool.next(Request(ticks=5))
        assert said == []


def test_an_actors_own_sentence_comes_through(cluster):
    with ActorPool(partial(Counting, broken="subject"), 1, cluster) as pool:
        pool.publish(weights(1.0))
        with pytest.raises(SubjectError, match=r"^there are no skills here$"):
            pool.next(Request(ticks=5))


def test_a_cluster_too_small_is_refused(cluster):
    with pytest.raises(SubjectError, match=rf"3 actors .* {re.escape(cluster)} has 2"):
        ActorPool(Counting, 3, cluster)


def test_an_address_where_nothing_listens_is_refused_at_once():
    address = f"127.0.0.1:{free_port()}"
    # refused, and not waited for in vain
    with pytest.raises(ClusterError, match=rf"^no Ray cluster answers at {address} .*refused"):
        ActorPool(Counting, 2, address)


def test_an_address_where_something_else_listens_is_refused(monkeypatch, tmp_path):
    assert PROMISED_S <= 10
    monkeypatch.setattr(ray_cluster, "HEALTH_S", 3.0)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"  # as Ray leaves one
    token.write_text("0" * 64)
    token.chmod(0o644)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ClusterError, match="does not answer as a Ray cluster"):
            ActorPool(Counting, 2, address)
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_cluster_that_does_not_come_up_is_tried_again_and_then_refused(monkeypatch):
    import ray  # not before the pool has set how quiet it is

    tried = []

    def init(**how):
        tried.append(how)
        raise Exception("The current node timed out during startup.\nand so on")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ClusterError, match=r"local cannot be used: .* timed out during startup\.$"):
        ActorPool(Counting, 2, "local")
    assert len(tried) == ray_cluster.STARTS
    assert not tried[0]["include_dashboard"]
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("address", ["", "somewhere", "ray://10.0.0.1:1", "a b:1", "h:99999999"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ClusterError, match="a Ray address is 'local' or host:port"):
        ActorPool(Counting, 1, address)


def test_no_actor_is_refused():
    with pytest.raises(SubjectError, match="at least one actor"):
        ActorPool(Counting, 0)
