"""Waveforms that a protocol takes from CSV files beside it."""

from __future__ import annotations

from rig.errors import UserError
from rig.waveform_file import read_rows
from stim.protocol.nodes import Context
from stim.protocol.source import Node
from stim.stimuli.stimuli import Waveform


def read_waveform(name: Node, n_units: int | None, context: Context) -> Waveform:
    """The waveform in a file beside the protocol; notes at the file's name what is wrong with it.

    Args:
        name: the node that names the file.
        n_units: how many units the waveform is for; None where that is not known.
        context: of the protocol.

    Returns:
        A value for each tick, or for each unit a value for each tick; empty where the file is not valid.
    """
    path = context.file(str(name.value))
    try:
        rows = read_rows(path)
    except UserError as problem:
        context.problems.add(name, str(problem))
        return ()
    wide = len(rows[0])
    if wide == 1:
        return tuple(line[0] for line in rows)
    if n_units is not None and wide != n_units:
        context.problems.add(
            name, f"{path} has {wide} columns for {n_units} units; it has to have 1 or as many"
        )
        return ()
    return tuple(tuple(line[k] for line in rows) for k in range(wide))
