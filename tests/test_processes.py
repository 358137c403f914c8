"""Worker processes: one that is interrupted ends without a traceback, one that died is a sentence."""

from __future__ import annotations

import signal

import pytest

from parallel.processes import in_processes
from rig.errors import RunError


def test_a_process_that_ctrl_c_has_ended_is_one_sentence(capfd):
    with pytest.raises(RunError, match="One of its processes died") as caught:
        list(in_processes(signal.raise_signal, [(signal.SIGINT,)] * 3, 2))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""
