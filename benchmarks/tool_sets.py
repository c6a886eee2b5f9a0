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
    {"type": "integer", "minimum": 1},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5, "multipleOf": 0.25},
    {"type": "string", "minLength": 2, "maxLength": 40},
    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 3},
    {"type": "array", "items": {"enum": ["a", "b", 3]}, "uniqueItems": True, "minItems": 2},
    {"type": ["integer", "string"], "minimum": 10, "pattern": "^a", "format": "date"},
    {"not": {"type": "string"}},
)


def _tool(name: str, properties: Schema, **whole: Any) -> ToolSpec:
    return ToolSpec(name=name, parameters={"type": "object", "properties": properties, **whole})


BOUNDED = (
    _tool(
        "page", {"limit": {"type": "integer", "minimum": 1, "maximum": 250}, "q": {"type": "string", "minLength": 3}}
    ),
    _tool("buy", {"price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01}}, required=["price"]),
    _tool("tag", {"tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 2}}),
    _tool("pick", {"of": {"type": "array", "items": {"enum": ["x", "y", 3]}, "uniqueItems": True, "minItems": 2}}),
    _tool("code", {"iban": {"type": "string", "pattern": "^[A-Z]{2}", "examples": ["DE12"]}}, required=["iban"]),
    _tool("when", {"at": {"oneOf": [{"type": "string", "maxLength": 10}, {"type": "integer", "minimum": 1000}]}}),
    _tool("far", {"n": {"anyOf": [{"type": "integer", "maximum": -50}, {"type": "number", "minimum": 99.5}]}}),
)
"""Tools whose schemas bound values."""

_LIMITS: Schema = {"n": {"type": "integer"}, "s": {"type": "string"}, "w": {"enum": ["on", "off"]}}

RULED = (
    _tool("two", _LIMITS, minProperties=2),
    _tool("few", _LIMITS, maxProperties=1),
    _tool("with", _LIMITS, dependentRequired={"n": ["w"], "w": ["s"]}),
    _tool("either", _LIMITS, oneOf=[{"required": ["n"]}, {"required": ["s"]}]),
    _tool("not both", _LIMITS, **{"not": {"required": ["n", "s"]}}),
    _tool(
        "if", _LIMITS, **{"if": {"properties": {"w": {"const": "on"}}, "required": ["w"]}, "then": {"minProperties": 3}}
    ),
    _tool("deep", _LIMITS, anyOf=[{"properties": {"s": {"pattern": "^a"}, "n": {"minimum": 3}}}, {"maxProperties": 1}]),
    _tool("names", _LIMITS, propertyNames={"pattern": "^[nw]$"}, patternProperties={"^n": {"minimum": 7}}),
    _tool("all", _LIMITS, allOf=[{"properties": {"s": {"maxLength": 5}}}, {"minProperties": 1}], required=["n"]),
)
"""Tools whose schemas say which arguments may be given together."""

_WHOLE: tuple[Schema, ...] = (
    {"minProperties": 1},
    {"maxProperties": 2},
    {"dependentRequired": {"query": ["on"], "on": ["a b"]}},
    {"anyOf": [{"required": ["query"]}, {"minProperties": 2}]},
    {"not": {"required": ["query", "on"]}},
    {"if": {"required": ["end"]}, "then": {"minProperties": 2}, "else": {"properties": {"query": {"type": "string"}}}},
    {"propertyNames": {"maxLength": 5}},
    {"allOf": [{"properties": {"query": {"minLength": 2}}}]},
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
    if rng.random() < 0.25:
        parameters |= rng.choice(_WHOLE)
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
