"""Ray, connected: a cluster that is started here (`local`) or one that exists already (`host:port`).

    ray, started = connect("local", processors=4)

What every use of Ray here shares: that an address where nothing answers is a sentence within seconds and
not a minute of retries, that a cluster which asks for this user's token is shown it, and that Ray itself
says nothing on the terminal.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parallel.errors import ClusterError
from rig.child_python import protect, python

OBJECT_STORE_BYTES = 400_000_000
"""Shared memory of a cluster started here; a rollout of 16 environments with images is about 8 MB."""
ANSWER_S = 3.0
"""How long a Ray address may take to accept a connection,"""
HEALTH_S = 7.0
"""and then to say that it is a Ray cluster and well."""
STARTS = 2
"""How often it is tried to connect to a cluster, or to start one."""
_SEVERAL_MACHINES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray prints a paragraph when a worker dies; who uses it reports that in a sentence
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_ENVIRONMENT = (
    *("LP_NUM_THREADS", "MUJOCO_GL", "PYOPENGL_PLATFORM", "EGL_DEVICE_ID"),
    "PYTHONSAFEPATH",
)
"""What a worker has to know of this process's environment."""


def connect(address: str, processors: int | None = None) -> tuple[Any, bool]:
    """The module `ray`, connected, and whether this call connected it (then `ray.shutdown()` is its job).

    Args:
        address: 'local', or 'host:port' of a cluster on whose machines this package is installed.
        processors: what a cluster started here offers; that of this machine if left out.

    Raises:
        ClusterError: no address, nothing that answers there as Ray, or a cluster that does not come up.
    """
    # Ray reads these when it is imported and when it starts processes
    os.environ.update(_QUIET)
    protect()
    if address == "local":
        with _kept_to_this_machine():
            how = {
                "num_cpus": processors,
                "num_gpus": 0,
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
            }
            return _connected(address, how)
    probe(address)
    return _connected(address, {})


def _connected(address: str, more: dict[str, Any]) -> tuple[Any, bool]:
    import ray

    if ray.is_initialized():
        return ray, False
    _read_environment_again()
    how = {"address": address, "log_to_driver": False, "logging_level": "ERROR", **more}
    for attempt in range(1, STARTS + 1):
        try:
            # Ray has workers look for modules in the folder that it is connected from
            with contextlib.chdir("/"):
                ray.init(**how)
            break
        except Exception as error:
            # Ray raises bare exceptions, among others where a busy machine takes 30 s to start it
            ray.shutdown()
            if attempt == STARTS:
                raise ClusterError(
                    f"the Ray cluster {address} cannot be used: {in_a_sentence(error)}"
                ) from None
    return ray, True


def _read_environment_again() -> None:
    """Ray reads the environment as it is imported; who did that before did not know of our token yet."""
    core = importlib.import_module("ray._raylet")
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()


def environment(*more: str) -> dict[str, dict[str, str]]:
    """The `runtime_env` of a worker: what it has to know of this process's environment variables."""
    names = (*_ENVIRONMENT, *more)
    return {"env_vars": {name: os.environ[name] for name in names if name in os.environ}}


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of the address of a cluster.

    Raises:
        ClusterError: it is none.
    """
    found = re.fullmatch(r"\[?([^\[\]/\s]+)\]?:(\d{1,5})", address)
    if not found:
        raise ClusterError(
            f"a Ray address is 'local' or host:port such as 10.0.0.1:6379, not {address!r}"
        )
    return found[1], int(found[2])


def probe(address: str) -> None:
    """Whether a Ray cluster answers there; `ray.init` alone tries for minutes, and then ends the process.

    Raises:
        ClusterError: it does not answer.
    """
    host, port = host_and_port(address)
    try:
        socket.create_connection((host, port), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({in_a_sentence(error)}); "
            "start one with `ray start --head`, or set ray to 'local'"
        ) from None
    # something listens, but not everything that listens is Ray
    _use_token()
    check = python("-m", "ray.scripts.scripts", "health-check", "--address", address)
    try:
        result = subprocess.run(
            check, capture_output=True, timeout=HEALTH_S, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"what listens at {address} does not answer as a Ray cluster") from None
    if result.returncode:
        said = (result.stderr.strip().splitlines() or ["it is not well"])[-1]
        raise ClusterError(f"the Ray cluster {address} cannot be used: {said[:200]}")


def in_a_sentence(error: BaseException) -> str:
    """What an error says: of a traceback from another process the end, otherwise the first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.startswith('File "') for line in lines):
        return lines[-1][:200]
    return (lines[0] if lines else type(error).__name__)[:200]


@contextlib.contextmanager
def _kept_to_this_machine() -> Iterator[None]:
    """A cluster that is started here listens on loopback alone, and asks for a token of its user's own.

    Ray listens on all interfaces of a Linux machine unless this variable, made for other systems, says that
    there is no cluster of machines. Whoever wants one sets it to 1, or starts one with `ray start`.
    """
    given = os.environ.get(_SEVERAL_MACHINES)
    os.environ.setdefault(_SEVERAL_MACHINES, "0")
    if not _use_token() and "RAY_AUTH_MODE" not in os.environ:
        # in the environment of its processes: Ray would write a file that all users can read
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        yield
    finally:
        if given is None:  # Ray's processes have it; this one may start other things
            del os.environ[_SEVERAL_MACHINES]


def _use_token() -> bool:
    """Show a cluster the token that this user has, where nothing else was said; whether there is one.

    A cluster that Ray starts for a user who has a token asks for it; what connects to one has to be set to
    show it. A cluster that asks for none does not mind. The token's file is made readable for its user alone.
    """
    there = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    with contextlib.suppress(OSError, RuntimeError):  # no home
        file = Path.home() / ".ray" / "auth_token"
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        there = True
    if there:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    return there
