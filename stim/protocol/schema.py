"""The shape of protocol files as a JSON Schema, with which editors complete and check while one types.

Made of the same description of keys as the validator uses (`stim.protocol.keys`). Names that only the
session knows (layers, tasks) are any text here; `rodent-rig check` knows them.
"""

from __future__ import annotations

from typing import Any

from stim.detectors.behaviours import BEHAVIOURS
from stim.protocol.keys import PROTOCOL
from stim.protocol.kinds import (
    Keys,
    Kind,
    ListOf,
    Named,
    Number,
    OneOf,
    Reference,
    Text,
    Truth,
    Union,
)
from stim.protocol.source import PARAMETER
from stim.protocol.trigger_keys import CONDITION, EVENT


def json_schema() -> dict[str, Any]:
    """The schema, as JSON-serialisable Python."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rodent rig protocol",
        **_schema(PROTOCOL),
        "$defs": {name: {"anyOf": _any_of(kind)} for name, kind in _RECURSIVE.items()},
    }


_RECURSIVE = {"event": EVENT, "condition": CONDITION}
"""Kinds that contain themselves."""


def _any_of(kind: Union) -> list[dict[str, Any]]:
    return [_schema(each) for each in kind.kinds]


def _schema(kind: Kind) -> dict[str, Any]:
    for name, recursive in _RECURSIVE.items():
        if kind is recursive:
            return {"$ref": f"#/$defs/{name}"}
    match kind:
        case Number(low, high, _, whole):
            number = {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
            return _or_parameter(number)
        case Text(longest):
            return {"type": "string", "minLength": 1, "maxLength": longest}
        case Truth():
            return {"type": "boolean"}
        case OneOf(words):
            return _or_parameter({"enum": list(words)})
        case Reference("behaviour"):
            return _or_parameter({"enum": [behaviour.name for behaviour in BEHAVIOURS]})
        case Reference("trigger"):
            pattern = r"^(trial\.start|.+\.(onset|offset))$"
            return _or_parameter({"type": "string", "pattern": pattern})
        case Reference():
            return {"type": "string"}
        case ListOf(item, shortest, longest):
            of = {"items": _schema(item), "minItems": shortest, "maxItems": longest}
            return {"type": "array" if shortest else ["array", "null"], **of}
        case Named(_, value, longest):
            return {
                "type": ["object", "null"],
                "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_-]{0,39}$"},
                "additionalProperties": _schema(value),
                "maxProperties": longest,
            }
        case Keys():
            return _of_keys(kind)
        case Union(kinds):
            return {"anyOf": [_schema(each) for each in kinds]}


def _or_parameter(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "string", "pattern": PARAMETER.pattern}]}


def _of_keys(kind: Keys) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: {"description": key.meaning, **_schema(key.kind)}
            for name, key in kind.keys.items()
        },
        "additionalProperties": False,
    }
    required = [name for name, key in kind.keys.items() if key.required]
    if required:
        schema["required"] = required
    if kind.variants:
        schema["oneOf"] = [_of_variant(kind, name) for name in kind.variants]
    return schema


def _of_variant(kind: Keys, name: str) -> dict[str, Any]:
    """One way to write a mapping: what has to be there, and what does not belong."""
    foreign = [
        key
        for key in kind.keys
        if key != name and (key in kind.variants or _owned(kind, key, name))
    ]
    schema: dict[str, Any] = {"required": [name, *kind.variants[name].needs]}
    if foreign:
        schema["not"] = {"anyOf": [{"required": [key]} for key in foreign]}
    return schema


def _owned(kind: Keys, key: str, name: str) -> bool:
    """Whether a key belongs to other variants than this one."""
    owners = kind.belongs_to(key)
    return bool(owners) and name not in owners
