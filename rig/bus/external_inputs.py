"""What may come into a session from outside: keys and notes of the operator, stimuli of clients.

A client's command is checked here, in the supervisor, before it reaches the subject: what is malformed,
unknown, not finite or too much is refused with a sentence and never reaches the subject. What is accepted
becomes an `Input` of the next tick. It is recorded with that tick and given to the stimulation engine in
it, which acts on the one after: the contract of the tick holds for what comes from outside as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rig.bus.message_types import EngineReply, Input, Message, Tick
from rig.bus.stimulus_request import NotAcceptedError, name_of, only, read_stimulus, short

VERBS = ("key", "note", "arm", "disarm", "stimulate", "release", "release_all")

ALWAYS = ("key", "note", "arm", "disarm", "release_all")
"""Taken also where a protocol does not take stimuli from outside: all stimuli can be ended at any time."""

OUTSIDE = "outside"
"""The stimulus as which every one from outside is announced and recorded."""

MOST_STIMULI = 16
"""So many stimuli from outside may be active at a time."""

MOST_WAITING = 64
"""So many inputs may wait for the next tick; to end all stimuli there is room for one more."""
LONGEST_NOTE = 500
"""Characters."""
_JOINERS = "\u200c\u200d"
"""Not printable by themselves, but part of how some scripts and emoji are written."""


def note_text(value: object) -> str:
    """The text of a note, without spaces around it. Raises `NotAcceptedError` if it cannot be one."""
    text = value.strip() if isinstance(value, str) else ""
    printable = all(each.isprintable() or each in _JOINERS for each in text)
    if not 0 < len(text) <= LONGEST_NOTE or not printable:
        raise NotAcceptedError(
            f"text has to be one line of 1 to {LONGEST_NOTE} printable characters, not {short(value)}"
        )
    return text


def armed_after(inputs: Iterable[Input], armed: bool) -> bool:
    """Whether a protocol is armed after a tick with these inputs, being armed or not before it.

    >>> armed_after([Input("disarm", ""), Input("key", "k")], armed=True)
    False
    """
    for given in inputs:
        if given.kind in ("arm", "disarm"):
            armed = given.kind == "arm"
    return armed


def read_input(
    verb: str, args: Mapping[str, Any], layers: Mapping[str, int], newest_tick: int = 0
) -> Input:
    """The input that a command of one of `VERBS` asks for, every field of it given and checked.

    Args:
        verb: one of `VERBS`.
        args: what came with it; see docs/bus.md.
        layers: layer name to number of units.
        newest_tick: of the session; a note is of it, or of one before.

    Raises:
        NotAcceptedError: something is missing, unknown, of the wrong type, not finite or too much.
    """
    if verb == "key":
        only(args, ("key",), verb)
        return Input("key", name_of(args.get("key"), "key"))
    if verb == "note":
        only(args, ("text", "tick"), verb)
        return Input("note", note_text(args.get("text")), {"tick": _tick(args, newest_tick)})
    if verb in ("arm", "disarm"):
        if args:
            raise NotAcceptedError(f"{verb} takes nothing, and not {short(next(iter(args)))}")
        return Input(verb, "")
    if verb == "release":
        only(args, ("name",), verb)
        return Input("release", name_of(args.get("name"), "name"))
    if verb == "release_all":
        only(args, ("origin",), verb)
        return Input("release_all", name_of(args.get("origin", "client"), "origin"))
    wanted = read_stimulus(args, layers)
    return Input("stimulate", name_of(args.get("name"), "name"), wanted)


class ExternalInputs:
    """What has come into one session from outside, followed through its stream: how much of it is active.

    Args:
        layers: layer name to number of units.
    """

    def __init__(self, layers: Mapping[str, int]) -> None:
        self._layers = layers
        self._names: set[str] = set()
        self._waiting: list[Input] = []
        self._newest_tick = -1
        self._due: dict[int, int] = {}  # stimuli that a tick has brought, by the tick they act from
        self._active: set[int] = set()

    def accept(self, verb: str, args: Mapping[str, Any]) -> Input:
        """The input that a command asks for, which now waits for the next tick.

        Raises:
            NotAcceptedError: as `read_input`; or too much waits or is active; or nothing has the name that
                is to be released.
        """
        given = read_input(verb, args, self._layers, self._newest_tick)
        if len(self._waiting) >= MOST_WAITING + (verb == "release_all"):
            raise NotAcceptedError(f"{MOST_WAITING} inputs wait for the next tick already")
        if verb == "release" and given.name not in self._names:
            raise NotAcceptedError(f"no stimulus from outside was ever called {given.name!r}")
        if verb == "stimulate":
            waiting = sum(each.kind == "stimulate" for each in self._waiting)
            if waiting + sum(self._due.values()) + len(self._active) >= MOST_STIMULI:
                raise NotAcceptedError(f"{MOST_STIMULI} stimuli from outside are active already")
            self._names.add(given.name)
        self._waiting.append(given)
        return given

    def follow(self, message: Message) -> None:
        """Takes note of a tick, which brings inputs, or an answer, which begins and ends stimuli."""
        content = message.content
        if isinstance(content, Tick):
            self._newest_tick = message.tick
            for given in content.inputs:
                if given in self._waiting:
                    self._waiting.remove(given)
                if given.kind == "stimulate":
                    self._due[message.tick + 1] = self._due.get(message.tick + 1, 0) + 1
        elif isinstance(content, EngineReply):
            # what has not begun by now never will: its trial was over, or it was released before
            self._due = {tick: n for tick, n in self._due.items() if tick > message.tick}
            for event in content.events:
                if event.kind == "stimulus" and event.name == OUTSIDE:
                    if event.phase == "onset":
                        self._active.add(event.number)
                    else:
                        self._active.discard(event.number)


def _tick(args: Mapping[str, Any], newest: int) -> int:
    tick = args.get("tick", newest)
    if isinstance(tick, bool) or not isinstance(tick, int) or not 0 <= tick <= newest:
        raise NotAcceptedError(
            f"tick has to be one that has been, from 0 to {newest}, not {short(tick)}"
        )
    return tick
