"""Protocols by name: those in the folder `protocols` where the user works, and those that ship.

    find(Path("first_light"))           # …/protocols/first_light.yaml
    find(Path("mine/first_light.yaml")) # this file

What ships lies beside our packages, in a checkout and in an installation alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rig.errors import UserError
from stim.protocol.source import suggestion

SHIPPED = Path(__file__).resolve().parents[2] / "protocols"
OWN = Path("protocols")
_ENDINGS = (".yaml", ".py")


def find(name_or_path: Path) -> Path:
    """The file of a protocol, named by its path, or by its name: `first_light`, or `first-light`.

    A path `protocols/first_light.yaml` that is not there stands for the one of this name, too.

    Raises:
        UserError: there is no protocol of this name; the sentence has the nearest one.
    """
    if name_or_path.is_file() or name_or_path.parent not in (Path(), OWN):
        return name_or_path
    named = {_plain(path): path for path in reversed(list(known()))}
    found = named.get(_plain(name_or_path))
    if found is not None:
        return found
    if name_or_path.suffix or name_or_path.exists() or name_or_path.parent != Path():
        return name_or_path  # a file that is missing, or is none, is for who reads it to say
    near = suggestion(name_or_path.name, [path.stem for path in named.values()], "protocols")
    raise UserError(
        f"There is no protocol file {name_or_path}, and no protocol of this name; {near} "
        "(`rodent-rig protocols` lists them)"
    )


def known() -> Iterator[Path]:
    """The files of all protocols that have a name, the user's own before those that ship."""
    folders = dict.fromkeys((OWN.resolve(), SHIPPED))
    for folder in folders:
        for ending in _ENDINGS:
            yield from sorted(folder.glob(f"*{ending}"))


def named_file(folder: Path, name: str) -> Path:
    """The file that a protocol names, as seen from the protocol's folder.

    One that ships names the user's files (baselines) as if it lay in their own folder `protocols`, where
    there is nothing of the kind beside it.

    Args:
        folder: the protocol's.
        name: of the file: a path relative to the folder, or an absolute one.
    """
    places = [folder / name, Path(os.path.normpath(folder / name))]
    if folder.resolve() == SHIPPED:
        places.append(Path(os.path.normpath(OWN / name)))
    return next((path for path in places if os.path.exists(path)), places[-1])


def _plain(path: Path) -> str:
    name = path.stem if path.suffix in _ENDINGS else path.name
    return name.replace("-", "_")
