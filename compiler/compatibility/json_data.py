"""JSON values and the simple keywords of JSON Schema that are about one value: equality, types, bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentic_dsl.compiler.grammar.value_rules import kind_of

LEAST: Mapping[str, str] = {
    "minimum": "number",
    "exclusiveMinimum": "number",
    "minLength": "string",
    "minItems": "array",
    "minProperties": "object",
}
"""Keywords that bound from below, with the type of the values that they are about."""

MOST: Mapping[str, str] = {
    "maximum": "number",
    "exclusiveMaximum": "number",
    "maxLength": "string",
    "maxItems": "array",
    "maxProperties": "object",
}
"""Keywords that bound from above."""


def value_key(value: Any) -> str:
    """The same text for the same JSON value: 1 is 1.0 and not true, and keys have no order."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def is_number(value: Any) -> bool:
    """Whether a value is a number of JSON; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def items_of(value: Any) -> tuple[Any, ...]:
    """The items of a list, none where something else stands."""
    return tuple(value) if isinstance(value, list | tuple) else ()


def members_of(value: Any) -> Mapping[str, Any]:
    """The members of a mapping, none where something else stands."""
    return value if isinstance(value, Mapping) else {}


def types_named(value: Any) -> frozenset[str]:
    """What a ``type`` keyword names: one type or a list of them."""
    return frozenset(str(name) for name in (items_of(value) or (value,)))


def widened(types: frozenset[str]) -> frozenset[str]:
    """Some types, and those that hold a part of their values."""
    return types | {"integer"} if "number" in types else types


def meets_bound(value: Any, keyword: str, bound: Any) -> bool:
    """Whether one value meets a keyword of `LEAST` or `MOST`; values of other types do."""
    if not is_number(bound):
        return False
    about = LEAST.get(keyword) or MOST[keyword]
    if kind_of(value) not in widened(frozenset({about})):
        return True
    size = value if about == "number" else len(value)
    match keyword:
        case "exclusiveMinimum":
            return bool(size > bound)
        case "exclusiveMaximum":
            return bool(size < bound)
        case _:
            return bool(size >= bound) if keyword in LEAST else bool(size <= bound)
