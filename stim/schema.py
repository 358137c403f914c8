"""The shape of protocol files as a JSON Schema, with which editors complete and check while one types.

Made from the same description of keys as the validator uses (`protocol_keys`). Names that only the session
knows (layers, tasks) are any text here; `rodent-rig check` knows them.
"""

from __future__ import annotations

from typing import Any

from stim.behaviours import BEHAVIOURS
from stim.protocol_keys import (
    PROTOCOL,
    Either,
    Keys,
    Kind,
    ListOf,
    Named,
    Number,
    OneOf,
    Reference,
    Text,
)


def json_schema() -> dict[str, Any]:
    """The schema, as JSON-serialisable Python."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rodent rig protocol",
        **_schema(PROTOCOL),
    }


def _schema(kind: Kind) -> dict[str, Any]:
    match kind:
        case Number(low, high, _, whole):
            return {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
        case Text(longest):
            return {"type": "string", "minLength": 1, "maxLength": longest}
        case OneOf(words):
            return {"enum": list(words)}
        case Reference("behaviour"):
            return {"enum": [behaviour.name for behaviour in BEHAVIOURS]}
        case Reference("trigger"):
            return {"type": "string", "pattern": r"^(trial\.start|.+\.(onset|offset))$"}
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
        case Either(kinds):
            return {"anyOf": [_schema(each) for each in kinds]}


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
    if kind.exactly_one:
        schema["oneOf"] = [{"required": [name]} for name in kind.exactly_one]
    return schema
