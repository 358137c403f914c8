"""Python processes that this program starts: how they are called, and what they find around them.

A process that is started with `-m` or `-c` looks for modules in the working folder first: a file `queue.py`
where the user happens to be would be run in place of Python's own. So every process of ours is started with
`-P`, which leaves that folder out, and passes the same on to those that it starts (PYTHONSAFEPATH).

Libraries that keep a cache (pynwb refuses to be imported without one) get a temporary one where the user's
own cannot be written.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds our packages."""
_TEMPORARY = "rodent-rig-cache-"
PARENT = "RODENT_RIG_PARENT"
"""In the environment of a process that ends with its parent: that one's number (`exit_with_parent`)."""
_INSTALLED = ("site-packages", "dist-packages")
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""An environment in which linear algebra computes on one thread. Libraries read it when they are loaded.

Several of our processes run at once, and threads that wait for a core spin: a figure that takes 8 s on one
thread of a busy machine takes 55 s on two.
"""


def python(*arguments: str) -> list[str]:
    """The command line of this Python with these arguments (`"-m", module, …`), safe from the working folder.

    >>> python("-m", "recorder.process")[1:]
    ['-P', '-m', 'recorder.process']
    """
    return [sys.executable, "-P", *arguments]


def protect() -> None:
    """Makes this process's environment that of `environment`, for all that it starts in whatever way."""
    os.environ.update(environment())


def one_thread_unless_asked(given: Mapping[str, str]) -> dict[str, str]:
    """`ONE_THREAD`; nothing where an environment says already how many threads there should be.

    >>> one_thread_unless_asked({"OMP_NUM_THREADS": "4"})
    {}
    """
    return {} if any(name in given for name in ONE_THREAD) else dict(ONE_THREAD)


def environment() -> dict[str, str]:
    """The environment of a process that is started by this one."""
    found = dict(os.environ)
    found["PYTHONSAFEPATH"] = "1"
    found["PYTHONPATH"] = _search_path(found.get("PYTHONPATH", ""))
    return found | _temporary_places(found)


def own_cache() -> Path | None:
    """The folder of the user's caches; None where a temporary one stands in for it."""
    place = _cache_place(os.environ)
    return None if place is None or place.parent.name.startswith(_TEMPORARY) else place


def _cache_place(given: Mapping[str, str]) -> Path | None:
    """The folder of the user's caches in an environment; None where nothing can be written there."""
    home = given.get("HOME", "") or str(Path("~").expanduser())
    return _writable(Path(given.get("XDG_CACHE_HOME", "") or Path(home) / ".cache"))


def _search_path(given: str) -> str:
    """PYTHONPATH with the folder of our packages, where Python would not find that by itself.

    An empty entry would stand for the working folder, and is left out.
    """
    entries = [each for each in given.split(os.pathsep) if each]
    if _ROOT.name not in _INSTALLED and str(_ROOT) not in entries:
        entries.append(str(_ROOT))
    return os.pathsep.join(entries)


def _temporary_places(given: Mapping[str, str]) -> dict[str, str]:
    """Other folders for caches and settings, where the user's own cannot be written; else nothing."""
    places = {}
    if _cache_place(given) is None:
        places["XDG_CACHE_HOME"] = "cache"
    home = given.get("HOME", "") or str(Path("~").expanduser())
    settings = Path(given.get("XDG_CONFIG_HOME", "") or Path(home) / ".config")
    if "MPLCONFIGDIR" not in given and _writable(settings) is None:
        places["MPLCONFIGDIR"] = "matplotlib"
    if not places:
        return {}
    folder = _temporary_folder()
    return {} if folder is None else {name: str(folder / part) for name, part in places.items()}


def _temporary_folder() -> Path | None:
    """A folder of this user alone under the temporary one, the same every time; None if there can be none."""
    try:
        folder = Path(tempfile.gettempdir()) / f"{_TEMPORARY}{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        seen = folder.lstat()
        own = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
        if own and not seen.st_mode & 0o077 and _writable(folder) is not None:
            return folder
        return Path(tempfile.mkdtemp(prefix=_TEMPORARY))
    except OSError:
        return None


def _writable(folder: Path) -> Path | None:
    """The folder, made if missing, where a file can be made in it; else None."""
    if not folder.is_absolute():  # a home that is not known
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, ValueError):
        return None
    return folder
