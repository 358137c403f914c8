"""A session that tests talk to from outside, as clients do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig.bus.client import BusClient
from rig.bus.curve import make_keys
from rig.session.directory import SessionDirectory, running_sessions, runtime_folder
from tests.rodent_rig import FIRST_LIGHT, RunningRig, free_port


class Served:
    """A real session that also listens on TCP with keys."""

    def __init__(self, rig: RunningRig, keys: Path, port: int) -> None:
        self.rig, self.keys, self.port = rig, keys, port

    @property
    def directory(self) -> SessionDirectory:
        return SessionDirectory(runtime_folder() / running_sessions()[0].session)

    def client(self) -> BusClient:
        return BusClient.of(self.directory)


@contextmanager
def served_session() -> Iterator[Served]:
    """Runs one in real time until the block ends, with its files in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="rr-") as folder:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        keys, port = Path(folder) / "keys", free_port()
        make_keys(keys)
        address = f"tcp://127.0.0.1:{port}"
        arguments = (
            "run",
            FIRST_LIGHT,
            "--out",
            Path(folder) / "s.nwb",
            "--pace",
            "realtime",
            "--no-picture",
            "--seed",
            4,
        )
        with RunningRig(*arguments, "--listen", address, "--keys", keys) as rig:
            rig.attach().close()
            yield Served(rig, keys, port)
