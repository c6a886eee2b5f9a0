"""Tools whose schemas say everything that a schema can say: fixed ones, and random ones."""

from __future__ import annotations

import random
from typing import Any

from agentic_dsl.constraints import ToolSpec

TOOLS = (
    ToolSpec(
        name="search",
        parameters={
            "type": "object",
            "properties": {
                "q": {"type": "string"},
                "limit": {"type": "integer"},
                "mode": {"enum": ["fast", "slow", "{a}"]},
            },
            "required": ["q"],
        },
        returns={
            "type": "object",
            "properties": {
                "price": {"type": "number"},
                "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
        },
    ),
    ToolSpec(
        name="web search",
        parameters={
            "type": "object",
            "properties": {
                "deep": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "w": {"type": ["number", "null"]},
                "p": {"type": "string", "pattern": "^a"},
                "o": {"type": "object"},
            },
            "required": ["tags", "o"],
        },
    ),
    ToolSpec(name="now"),
)

_NAMES = ("größe", "a/b-c.d", "9lives", 'say "hi"', "no", "get_it")
_ARGUMENTS = ("query", "on", "max-results", "a b", "ünit", "1st", "x.y", "Null", "end")
_FIELDS = ("price", "res", "Name", "a b", "on", "items", "query")

Schema = dict[str, Any]

_SCALARS: tuple[Schema, ...] = (
    {"type": "string"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["string", "null"]},
    {"type": ["integer", "boolean"]},
    {"enum": ["metric", "no", "a b", "", "ünit", 'q"', "{{ x }}", "1"]},
    {"enum": [1, 2.5, None, True, "1", [1, "a"], {"k": 1}]},
    {"const": -3},
    {"type": "string", "enum": ["long enough to be over many bounds of texts"]},
    {"type": "string", "maxLength": 3},
    {"type": "integer", "minimum": 0, "maximum": 10},
    {"type": "string", "default": "x", "description": "a note"},
    {"$ref": "#/$defs/mode"},
    {},
)


def random_tool(rng: random.Random, number: int) -> ToolSpec:
    """A tool with up to four parameters; ``number`` keeps names apart."""
    names = rng.sample(_ARGUMENTS, rng.randint(0, 4))
    parameters: Schema = {
        "type": "object",
        "properties": {name: _schema(rng, 0) for name in names},
        "required": [name for name in names if rng.random() < 0.4],
        "$defs": {"mode": {"type": "string", "enum": ["on", "off"]}},
    }
    return ToolSpec(
        name=_NAMES[(2 * rng.randrange(3) + number) % len(_NAMES)],
        parameters=parameters,
        returns=_returns(rng, 0) if rng.random() < 0.7 else {},
    )


def _schema(rng: random.Random, depth: int) -> Schema:
    """A schema of an argument."""
    if depth > 2 or rng.random() < 0.5:
        return dict(rng.choice(_SCALARS))

    def inner() -> Schema:
        return _schema(rng, depth + 1)

    match rng.randrange(6):
        case 0 | 1:
            return {"type": "array", "items": inner()}
        case 2:
            return {"type": "object", "properties": {"a": inner()}, "required": ["a"]}
        case 3:
            return {"anyOf": [inner(), inner()]}
        case 4:
            return {"oneOf": [{"type": "string"}, inner()]}
        case _:
            return {"allOf": [inner()], "nullable": True}


def _returns(rng: random.Random, depth: int) -> Schema:
    """A schema of a result: mostly objects with known fields, whose fields may be lists and objects."""
    if depth > 2 or rng.random() < 0.15 * (depth + 1):
        return dict(rng.choice(_SCALARS[:6]))
    match rng.randrange(8):
        case 0:
            return {"type": "array", "items": _returns(rng, depth + 1)}
        case 1:
            return {"anyOf": [_returns(rng, depth + 1), {"type": "null"}]}
        case _:
            fields = rng.sample(_FIELDS, rng.randint(0, 4))
            made: Schema = {"type": "object", "properties": {name: _returns(rng, depth + 1) for name in fields}}
            if rng.random() < 0.2:
                made["additionalProperties"] = rng.choice([True, False, {"type": "string"}])
            return made
