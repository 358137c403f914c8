"""From a checked protocol and the options of a command to a session that can be started."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.options import Pace, Runtime
from cli.protocols import baselines_of
from rig.bus.clip_ring import LONGEST_S
from rig.errors import UserError
from rig.new_recording import FOLDER, recording_name, recordings_folder
from rig.output_file import with_ending
from rig.session.directory import SessionDirectory, SessionSpec
from stim.protocol.model import Protocol
from stim.stimuli import baselines
from stim.stimuli.baselines import BaselineUsed


@dataclass(frozen=True)
class RunOptions:
    """How a protocol is run; what is None is as the protocol says.

    Attributes:
        seed: of everything random; drawn where the protocol has none either.
        pace: as fast as the machine can, or in real time.
        duration_s: animal time at which the session ends.
        record: the file to record into from the first tick on; None: nothing is recorded.
        overwrite: whether that file may exist already.
        camera: whether what the animal sees is recorded too.
        listen: an address tcp://HOST:PORT at which the bus is served besides; "": none.
        keys: the folder of CURVE keys for `listen`.
        roll_over: when the recording goes on in a next file (`recorder.file_rotation`); "": never.
        runtime: what the network runs on.
        trials: after how many trials the session ends.
        animal, notes: the experimenter's, for the recording.
        experimenter, institution, keywords: who runs it, where, and what it is about.
        clips: whether the session keeps its last minute, to be saved.
        clips_in: the folder for clips that nobody names a file for; None: beside the recording, or the usual.
    """

    seed: int | None = None
    pace: Pace = Pace.max
    duration_s: float | None = None
    record: Path | None = None
    overwrite: bool = False
    camera: bool = True
    listen: str = ""
    keys: Path | None = None
    roll_over: str = ""
    runtime: Runtime = Runtime.onnx
    trials: int | None = None
    animal: str = ""
    experimenter: tuple[str, ...] = ()
    institution: str = ""
    keywords: tuple[str, ...] = ()
    notes: str = ""
    clips: bool = True
    clips_in: Path | None = None


def check_said(animal: str, notes: str, names: Iterable[str] = ()) -> None:
    """Raises `UserError` for what cannot stand in a recording.

    Args:
        animal: what the animal is called.
        notes: what there is to say.
        names: of people and places, and keywords.
    """
    if len(animal) > 64 or not animal.isprintable():
        raise UserError("An animal's name has at most 64 printable characters.")
    if len(notes) > 4000:
        raise UserError("Notes have at most 4000 characters.")
    for name in names:
        if not 0 < len(name.strip()) <= 200 or not name.isprintable():
            raise UserError(
                "Names of experimenters and institutions, and keywords, have 1 to 200 printable characters."
            )


def prepare_session(
    protocol: Protocol, options: RunOptions
) -> tuple[SessionSpec, SessionDirectory]:
    """A new session's spec, and its folder, which holds what the protocol takes from its baselines.

    Raises:
        UserError: the seed cannot be one, or a baseline recording does not have what is asked of it.
        RunError: the folder cannot be made, or there is no room in it.
    """
    seed = _seed(options.seed, protocol)
    values, used = baselines_of(protocol)
    directory = SessionDirectory.create()
    with directory.kept_unless_interrupted():
        if used:
            with directory.writing():
                baselines.write(directory.baselines, values, used)
        return session_spec(protocol, options, directory.session, seed, used), directory


def session_spec(
    protocol: Protocol,
    options: RunOptions,
    session: str,
    seed: int,
    used: tuple[BaselineUsed, ...] = (),
) -> SessionSpec:
    """What the processes of a session are given at its start.

    Args:
        protocol: what it runs under.
        options: how it is run; their seed is not looked at.
        session: its name.
        seed: of everything random.
        used: the baseline recordings that its stimuli draw on.
    """
    duration_s = options.duration_s
    return SessionSpec(
        session=session,
        subject=protocol.subject,
        task=protocol.task,
        seed=seed,
        pace=options.pace.value,
        duration_s=protocol.duration_s if duration_s is None else duration_s,
        trial_s=protocol.trial_s,
        trials=protocol.trials if options.trials is None else options.trials,
        protocol_name=protocol.name,
        protocol_path=str(Path(protocol.path).resolve()),
        protocol_text=protocol.text,
        behaviours=protocol.behaviour_names,
        stimuli=protocol.stimulus_names,
        record=str(options.record.resolve()) if options.record else "",
        overwrite=options.overwrite,
        record_camera=options.camera,
        roll_over=options.roll_over,
        listen=options.listen,
        keys=str(options.keys.resolve()) if options.keys else "",
        conditions=protocol.condition_names,
        keys_used=protocol.keys,
        key_uses=protocol.key_uses,
        allow_outside=protocol.outside_allowed,
        baselines={each.name: each.sha256 for each in used},
        allow_python=protocol.is_script,
        runtime=options.runtime.value,
        experimenter=options.experimenter,
        institution=options.institution,
        keywords=options.keywords,
        blinded=protocol.blinded,
        animal=options.animal,
        notes=options.notes,
        clip_s=LONGEST_S if options.clips else 0.0,
        clip_folder=_folder_of_clips(options),
    )


def _folder_of_clips(options: RunOptions) -> str:
    """The folder for clips that nobody names a file for; "" where there is no place for recordings."""
    if options.clips_in is not None:
        return str(options.clips_in.absolute())
    if options.record is not None:
        return str(options.record.resolve().parent)
    try:
        return str(recordings_folder(make=False)[0].absolute())
    except UserError:
        return ""


def new_recording(protocol: Protocol) -> Path:
    """A file named after the protocol and the time; where its folder is not the usual one, that is said."""
    folder, unusual = recordings_folder()
    if unusual:
        print(unusual, file=sys.stderr)
    return folder / recording_name(protocol.name)


def named_recording(out: Path) -> Path:
    """The file that somebody named, with its ending; its folder is made if it is the usual one.

    Any other folder has to be there, so that a slip of the pen makes none.

    Raises:
        UserError: it has another ending.
    """
    recording = with_ending(out, (".nwb",))
    if recording.parent.absolute() == FOLDER.absolute():
        with contextlib.suppress(OSError):
            FOLDER.mkdir(exist_ok=True)
    return recording


def _seed(seed: int | None, protocol: Protocol) -> int:
    """The command line's seed, else the protocol's, else one that is drawn."""
    seed = protocol.seed if seed is None else seed
    if seed is None:
        return secrets.randbelow(2**31)
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: a seed is a whole number from 0 to 2^63 - 1.")
    return seed
