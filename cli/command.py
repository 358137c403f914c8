"""What all commands have in common: their arguments are looked at before anything else is done.

Paths are text of possible lengths, numbers are finite and have a decimal point.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from rig.errors import UserError
from rig.output_file import check_path

Function = Callable[..., None]
LARGEST = 1e12
"""No number on a command line is larger: as ticks it is still a whole number that every file can hold."""
_COMMA = re.compile(r"[-+]?\d+,\d+")


def register(app: typer.Typer, **commands: Function) -> None:
    """Adds commands to the application, by their names."""
    for name, function in commands.items():
        app.command(name)(_checked(function))


def check_words(words: Sequence[str], commands: Mapping[str, Function]) -> None:
    """Looks at the words of a command line for decimal commas, which no number has.

    Args:
        words: after the program's name.
        commands: all, by their names.

    Raises:
        UserError: there is one, and how to write it.
    """
    function = commands.get(words[0]) if words else None
    if function is None:
        return
    decimals = {option for option, kind in _options(function) if float in (kind, *get_args(kind))}
    for before, word in pairwise(words):
        option, _, value = word.partition("=") if "=" in word else (before, "", word)
        if option in decimals and _COMMA.fullmatch(value):
            right = value.replace(",", ".")
            raise UserError(f"{option} {value}: a number has a decimal point; write {right}.")


def _checked(function: Function) -> Function:
    """The same command, which looks at its arguments first."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        _check_working_folder()
        options = dict(zip(inspect.signature(function).parameters, _options(function), strict=True))
        for name, value in given.items():
            for each in value if isinstance(value, list) else [value]:
                option = options[name][0]
                if isinstance(each, Path):
                    check_path(each, option)
                elif isinstance(each, float) and not abs(each) <= LARGEST:
                    what = "smaller" if math.isfinite(each) else "finite"
                    raise UserError(f"{option} {each}: give a {what} number.")
        function(**given)

    return run


def _options(function: Function) -> Iterator[tuple[str, Any]]:
    """How each parameter of a command is called on the command line ("" of an argument), and its type."""
    hints = get_type_hints(function, include_extras=True)
    for name in inspect.signature(function).parameters:
        kind, info = get_args(hints[name])[:2]
        # Typer takes a single name for the default, as there is none in an annotation
        names = (info.default, *(info.param_decls or ()))
        declared = [each for each in names if isinstance(each, str) and each.startswith("--")]
        option = declared[0] if declared else f"--{name.replace('_', '-')}"
        yield ("" if isinstance(info, typer.models.ArgumentInfo) else option), kind


def _check_working_folder() -> None:
    try:
        here = os.getcwd()
    except OSError:
        raise UserError(
            "The working folder is not there any more; change to one that is."
        ) from None
    check_path(here, "The working folder")
