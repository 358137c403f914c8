"""The application on an X display of its own, with a real pointer and real keys, from an empty home."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import recorder
from rig.bus.client import BusClient
from rig.bus.message_types import Status
from tests.rodent_rig import RunningRig, wait_for

SIZE = (1280, 720)
ACQUIRE = (66, 55)
"""Where the button is in a window that begins at the screen's corner."""

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="Xvfb and xdotool (Debian packages) are needed",
)


class Display:
    """An X server, what is typed and clicked in it, and a picture of it."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self._server = subprocess.Popen(
            [
                "Xvfb",
                "-noreset",
                "-displayfd",
                str(write),
                "-screen",
                "0",
                "{}x{}x24".format(*SIZE),
            ],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            if not select.select([numbers], [], [], 30)[0]:
                self.close()
                raise TimeoutError("the X server does not start")
            self.name = f":{numbers.readline().strip()}"
        self._environment = {**os.environ, "DISPLAY": self.name}

    def tool(self, *words: object) -> str:
        """`xdotool …`; what it says."""
        done = subprocess.run(
            ["xdotool", *map(str, words)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        return done.stdout.strip()

    def focus(self, title: str = "rodent-rig") -> bool:
        """Gives a window the keyboard, as no window manager does; False if there is none yet."""
        found = self.tool("search", "--onlyvisible", "--name", title).split()
        if found:
            self.tool("windowfocus", found[-1])
        return bool(found)

    def key(self, key: str) -> None:
        """Presses and releases a key."""
        self.tool("key", key)

    def click(self, place: tuple[int, int]) -> None:
        """A click of the left button."""
        self.tool("mousemove", *place, "click", 1)

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(60)


@pytest.fixture
def display() -> Iterator[Display]:
    shown = Display()
    yield shown
    shown.close()


def _until(bus: BusClient, wanted: str) -> Status:
    """The first status in which the session, or its recorder, is in a state."""
    for _ in range(600):
        for message in bus.poll(0.1):
            content = message.content
            if isinstance(content, Status):
                report = content.recorder
                if wanted in (content.state, report.state if report is not None else ""):
                    return content
    raise AssertionError(f"never {wanted}")


def _resume(display: Display, bus: BusClient) -> None:
    """Presses until it runs: before the window shows that it is paused, the key pauses it once more."""
    for _ in range(20):
        display.key("space")
        since_s = time.monotonic()
        while time.monotonic() - since_s < 3.0:
            for message in bus.poll(0.1):
                if isinstance(message.content, Status) and message.content.state == "running":
                    return
    raise AssertionError("never running")


def test_a_session_is_set_up_run_recorded_and_ended_by_hand(
    runtime: Path, tmp_path: Path, display: Display
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    variables = {"DISPLAY": display.name, "QT_QPA_PLATFORM": "xcb", "HOME": str(home)}
    with RunningRig("gui", cwd=home, **variables) as window:
        wait_for(lambda: window.process.poll() is not None or display.focus(), 60)
        display.key("Return")
        with window.attach() as bus:
            _until(bus, "recording")
            wait_for(lambda: any(m.tick > 50 for m in bus.poll(0.1)))  # the window shows it, too
            display.key("space")
            paused = _until(bus, "paused")
            display.key("period")
            wait_for(lambda: any(m.tick == paused.ticks for m in bus.poll(0.1)))
            _resume(display, bus)
            display.click(ACQUIRE)  # it says "Stop" now, and asks
            wait_for(lambda: display.focus("End the session"))
            display.key("alt+e")
            ended = _until(bus, "ended")
        display.focus()
        display.key("ctrl+q")
        status, said, trouble = window.end()
    assert status == 0, said + trouble
    assert "Traceback" not in said + trouble
    assert ended.recorder is not None
    assert recorder.open(ended.recorder.file).n_ticks == ended.ticks > paused.ticks
