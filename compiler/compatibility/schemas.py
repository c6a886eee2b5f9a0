"""Whether every value that some JSON Schemas allow is allowed by others: sound, and sure where schemas are plain.

Containment of JSON Schemas cannot be decided at bearable cost, so the answer is "surely" or "perhaps not". A schema
with a keyword that is not understood here contains itself and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentic_dsl.compiler.compatibility.json_data import (
    LEAST,
    MOST,
    is_number,
    items_of,
    meets_bound,
    members_of,
    types_named,
    value_key,
    widened,
)
from agentic_dsl.compiler.grammar.value_rules import kind_of

Conjunction = tuple[Any, ...]
"""Schemas that hold together: mappings, ``True`` or ``False``, as data of a document."""

MAX_STEPS = 50_000
"""Comparisons before the answer is "perhaps not", of schemas of any size; schemas come from untrusted files."""

LEAST_STEPS, STEPS_A_VALUE = 1_000, 10
"""Comparisons of small schemas, and those that each value in a schema adds: many small ones take no longer than one."""

MAX_DEPTH = 120
"""Schemas inside schemas, and alternatives one after the other, before the answer is "perhaps not"."""

_REMARKS = frozenset({"title", "description", "default", "examples", "$comment", "$schema", "$id", "deprecated"})
"""Keywords that allow and forbid nothing."""

_ONE_VALUE = frozenset({"type", "enum", "const", *LEAST, *MOST})
"""Keywords that say of each value by itself whether it is allowed."""

_UNDERSTOOD = (
    _REMARKS
    | _ONE_VALUE
    | {"required", "properties", "additionalProperties", "items", "uniqueItems"}
    | {
        "pattern",
        "format",
        "multipleOf",
        "allOf",
        "anyOf",
    }
)

_POINTERS = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})

_SPLIT = ("anyOf", "oneOf")
"""Keywords of which one alternative holds, so that each can be looked at by itself."""


def contains(wide: Conjunction, narrow: Conjunction) -> bool:
    """Whether every value that all of ``narrow`` allow is surely allowed by all of ``wide``."""
    keys = list(_keys_within((wide, narrow)))
    if not _POINTERS.isdisjoint(keys):
        return value_key(wide) == value_key(narrow)  # equal pointers may point at different schemas
    return _Comparison(min(MAX_STEPS, LEAST_STEPS + STEPS_A_VALUE * len(keys))).within(narrow, wide)


def _keys_within(schema: Any) -> Iterator[str]:
    """The keys of all mappings in a value, and an empty one for each item of a list."""
    match schema:
        case Mapping():
            yield from schema
            for value in schema.values():
                yield from _keys_within(value)
        case list() | tuple():
            for value in schema:
                yield ""
                yield from _keys_within(value)


@dataclass
class _Comparison:
    """One question and all the smaller ones that it leads to. Used once, so that their number is bounded."""

    limit: int
    steps: int = 0
    depth: int = 0
    keys: dict[int, tuple[Any, str]] = field(default_factory=dict)
    """Keys of values that were looked at; the value is held, so that its address stays its own."""

    def within(self, narrow: Conjunction, wide: Conjunction) -> bool:
        """Whether ``narrow`` is surely within ``wide``."""
        narrow = tuple(_flat(narrow))
        self.steps += len(narrow) + len(wide)
        if self.steps > self.limit or self.depth >= MAX_DEPTH:
            return False
        self.depth += 1
        try:
            return (
                any(schema is False for schema in narrow)
                or all(self._allowed_by(schema, narrow) for schema in wide)
                or self._each_alternative(narrow, wide)
            )
        finally:
            self.depth -= 1

    def _each_alternative(self, narrow: Conjunction, wide: Conjunction) -> bool:
        """Whether each alternative of ``narrow`` is within, though what they have in common may say too little."""
        for position, schema in enumerate(narrow):
            for word in _SPLIT:
                if alternatives := items_of(members_of(schema).get(word)):
                    rest = {key: value for key, value in schema.items() if key != word}
                    others = (*narrow[:position], rest, *narrow[position + 1 :])
                    return all(self.within((*others, alternative), wide) for alternative in alternatives)
        return False

    def _allowed_by(self, schema: Any, narrow: Conjunction) -> bool:
        if not isinstance(schema, Mapping):
            return schema is True
        if any(self._same(schema, other) for other in narrow):
            return True
        if not schema.keys() <= _UNDERSTOOD:
            return False
        known = [members_of(other) for other in narrow]
        return all(self._implied(key, value, schema, known) for key, value in schema.items())

    def _implied(self, key: str, value: Any, schema: Mapping[str, Any], narrow: list[Mapping[str, Any]]) -> bool:
        """Whether what ``narrow`` allows meets one keyword of a schema."""
        self.steps += 1
        if key in _ONE_VALUE and self._all_meet(key, value, narrow):
            return True
        match key:
            case "type":
                return any("type" in n and types_named(n["type"]) <= widened(types_named(value)) for n in narrow)
            case "required":
                return _names(value) <= {name for n in narrow for name in _names(n.get("required"))}
            case "properties":
                return all(self._property(name, wide, narrow) for name, wide in members_of(value).items())
            case "additionalProperties":
                return self._others(value, schema, narrow)
            case "items":
                held = tuple(n["items"] for n in narrow if "items" in n and "prefixItems" not in n)
                return self.within(held, (value,))
            case "allOf":
                return self.within(tuple(narrow), items_of(value))
            case "anyOf":
                return any(self.within(tuple(narrow), (alternative,)) for alternative in items_of(value))
            case "uniqueItems" if value is False:
                return True
            case _ if key in LEAST or key in MOST:
                return _bounded(key, value, narrow)
            case _:
                return key in _REMARKS or any(key in n and self._same(n[key], value) for n in narrow)

    def _all_meet(self, key: str, bound: Any, narrow: list[Mapping[str, Any]]) -> bool:
        """Whether ``narrow`` allows a few values only, and all of them meet a keyword."""
        values = next((found for n in narrow if (found := _values(n)) is not None), None)
        if values is None:
            return False
        types = [widened(types_named(n["type"])) for n in narrow if "type" in n]
        possible = [value for value in values if all(kind_of(value) in named for named in types)]
        self.steps += len(possible)
        if key == "type":
            return all(kind_of(value) in widened(types_named(bound)) for value in possible)
        if key in ("enum", "const"):
            allowed = {self._key(value) for value in (items_of(bound) if key == "enum" else (bound,))}
            return all(self._key(value) in allowed for value in possible)
        return all(meets_bound(value, key, bound) for value in possible)

    def _property(self, name: str, wide: Any, narrow: list[Mapping[str, Any]]) -> bool:
        """Whether what stands under one key is surely allowed there."""
        return self.within(tuple(_member(n, name) for n in narrow), (wide,))

    def _others(self, value: Any, schema: Mapping[str, Any], narrow: list[Mapping[str, Any]]) -> bool:
        """Whether the keys that ``schema`` does not name are surely allowed, or surely absent."""
        named = members_of(schema.get("properties")).keys()
        written = {name for n in narrow for name in members_of(n.get("properties")) if name not in named}
        unwritten = tuple(_unnamed(n) for n in narrow)
        return self.within(unwritten, (value,)) and all(self._property(name, value, narrow) for name in sorted(written))

    def _same(self, one: Any, other: Any) -> bool:
        return self._key(one) == self._key(other)

    def _key(self, value: Any) -> str:
        if id(value) not in self.keys:
            self.keys[id(value)] = (value, value_key(value))
        return self.keys[id(value)][1]


def _flat(schemas: Conjunction) -> Iterator[Any]:
    """The schemas, and beside each one those that its ``allOf`` adds to it."""
    for schema in schemas:
        yield from _flat(items_of(members_of(schema).get("allOf")))
        yield schema


def _values(schema: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The only values that a schema may allow, None where it does not list them."""
    if "const" in schema:
        return (schema["const"],)
    return items_of(schema["enum"]) if "enum" in schema else None


def _names(value: Any) -> frozenset[str]:
    return frozenset(map(str, items_of(value)))


def _member(schema: Mapping[str, Any], name: str) -> Any:
    """The schema of what stands under a key."""
    properties = members_of(schema.get("properties"))
    return properties[name] if name in properties else _unnamed(schema)


def _unnamed(schema: Mapping[str, Any]) -> Any:
    """The schema of what stands under a key that is not named."""
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _bounded(key: str, bound: Any, narrow: list[Mapping[str, Any]]) -> bool:
    """Whether a bound of ``narrow`` is as tight, or its values are not what the bound is about."""
    about = LEAST.get(key) or MOST[key]
    if any("type" in n and not types_named(n["type"]) & widened(frozenset({about})) for n in narrow):
        return True
    if not is_number(bound):
        return False
    # A value meets a bound when the tightest value that is allowed does.
    held = [n[key] for n in narrow if is_number(n.get(key))]
    if about != "number":
        return any(number >= bound if key in LEAST else number <= bound for number in held)
    open_, closed = ("exclusiveMinimum", "minimum") if key in LEAST else ("exclusiveMaximum", "maximum")
    beyond = [n[open_] for n in narrow if is_number(n.get(open_))]
    from_ = [n[closed] for n in narrow if is_number(n.get(closed))]
    if key == closed:
        held = beyond + from_
        return any(number >= bound if key in LEAST else number <= bound for number in held)
    return any(number >= bound if key in LEAST else number <= bound for number in beyond) or any(
        number > bound if key in LEAST else number < bound for number in from_
    )
