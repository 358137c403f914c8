"""What the base installation leaves out is named where it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import EXTRAS
from tests.rodent_rig import ROOT

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError("no module named " + name, name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["rodent-rig", *{words!r}]
from cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("torch", ["train", "runner"]),
        ("ray", ["sweep", "first_light", "--seeds", "1", "--duration", "0.1", "--ray", "local"]),
    ],
)
def test_a_missing_extra_is_one_sentence_that_says_how_to_get_it(
    package: str, words: list[str], tmp_path: Path
) -> None:
    code = WITHOUT.format(package=package, words=words)
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines() == [
        f"This needs the package {package}, which the base installation leaves out; install it with "
        f"pip install 'rodent-rig[{EXTRAS[package]}]'."
    ]
