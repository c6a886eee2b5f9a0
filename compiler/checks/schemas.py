"""JSON Schemas of tools: broken ones are found, and values are held to the rest in bounded time.

Schemas come from documents and catalogues that nobody has vetted. So remote references are never followed, a
pattern is only applied when it cannot take exponential time, and a schema is compiled once per content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from agentic_dsl.compiler.checks.patterns import is_harmless
from agentic_dsl.compiler.checks.schema_faults import (
    PLAIN_OBJECT,
    SCALARS,
    fault_of,
    is_plain_property,
    is_surely_good,
    registry,
)

_ABOUT_MEMBERS = frozenset(
    {"required", "additionalProperties", "minProperties", "maxProperties", "minItems", "maxItems", "type"}
)
"""Keywords whose finding is true whatever a template inside the value turns out to be."""

_LONGEST_MATCHED = 2_000
"""Longer texts are not held against patterns."""


def is_template(value: object) -> bool:
    """Whether a value is a string with a template in it, so that its type is known at run time only."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


@dataclass(frozen=True)
class ValueFinding:
    """One way in which a value does not fit: what, where in the value, by which keyword."""

    message: str
    path: tuple[str | int, ...]
    keyword: str


@dataclass(frozen=True)
class CompiledSchema:
    """A schema of a tool's arguments or result.

    Attributes:
        schema: as it was given.
        problem: why it is none, in one sentence; None for a good one.
    """

    schema: Mapping[str, Any]
    problem: str | None = None

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schemas of the object's fields."""
        found = self.schema.get("properties")
        return found if isinstance(found, Mapping) else {}

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that must be there."""
        found = self.schema.get("required")
        return tuple(found) if isinstance(found, list | tuple) else ()

    @property
    def is_open(self) -> bool:
        """Whether fields beyond `properties` may be given: only where the schema says so itself."""
        return bool(self.schema.get("additionalProperties")) or "patternProperties" in self.schema

    def findings(self, values: Mapping[str, Any]) -> Iterator[ValueFinding]:
        """How the values of an object do not fit, names of fields aside. A templated string stands for anything."""
        plain = self._is_plain
        slow = {}
        for name, value in values.items():
            schema = self.properties.get(name)
            if is_template(value) or (schema is None and not self.is_open):
                continue
            if not (isinstance(schema, Mapping) and is_plain_property(schema) and _fits(value, schema)):
                slow[name] = value
        if slow or not plain:
            yield from self._validated(values if not plain else slow)

    @property
    def _is_plain(self) -> bool:
        return self.schema.keys() <= PLAIN_OBJECT

    def _validated(self, values: Mapping[str, Any]) -> Iterator[ValueFinding]:
        validator = _validator(_text(self.schema))
        try:
            errors = list(validator.iter_errors(_as_json(values)))
        except Exception:  # an unresolvable or endless reference: `problem` has said what can be said
            return
        for error in errors:
            by_name = not error.absolute_path and error.validator in ("required", "additionalProperties")
            if by_name or _open_to_templates(error):
                continue
            yield ValueFinding(_in_words(error), tuple(error.absolute_path), str(error.validator))


def compile_schema(schema: Mapping[str, Any]) -> CompiledSchema:
    """A schema, compiled once per content."""
    return _compiled(_text(schema))


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, default=str)


@lru_cache(maxsize=16_384)
def _compiled(text: str) -> CompiledSchema:
    schema = json.loads(text)
    if not isinstance(schema, dict):
        return CompiledSchema({}, "a schema is a mapping")
    return CompiledSchema(schema, None if is_surely_good(schema) else fault_of(schema))


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value surely fits a plain property; False sends it to the full validation."""
    kind = schema.get("type")
    if kind is not None:
        allowed = SCALARS.get(kind)
        if allowed is None or not isinstance(value, allowed) or (isinstance(value, bool) and kind != "boolean"):
            return False
    enum = schema.get("enum")
    return enum is None or any(type(value) is type(one) and value == one for one in enum)


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator, validators

    def pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
        from jsonschema import ValidationError

        applies = isinstance(instance, str) and len(instance) <= _LONGEST_MATCHED and is_harmless(pattern)
        if applies and re.search(pattern, instance) is None:
            yield ValidationError("the pattern does not match")

    def pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
        harmless = {pattern: sub for pattern, sub in patterns.items() if is_harmless(pattern)}
        original = Draft202012Validator.VALIDATORS["patternProperties"]
        yield from original(validator, harmless, instance, schema) or ()

    overrides = {"pattern": pattern, "patternProperties": pattern_properties}
    return validators.extend(Draft202012Validator, overrides)  # type: ignore[no-untyped-call]  # jsonschema's own gap


@lru_cache(maxsize=4096)
def _validator(text: str) -> Any:
    schema = json.loads(text)
    schema.setdefault("type", "object")
    # Which fields must and may be there is judged by name, so that the findings can stand at the right place.
    return _validator_class()({k: v for k, v in schema.items() if k not in ("required",)}, registry=registry())


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value


def _open_to_templates(error: Any) -> bool:
    """Whether the finding may vanish once the templates inside the value are filled in."""
    if is_template(error.instance):
        return True
    return error.validator not in _ABOUT_MEMBERS and any(map(is_template, _strings(error.instance)))


def _strings(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, Mapping):
            stack.extend(part.values())
        elif isinstance(part, list | tuple):
            stack.extend(part)
        else:
            yield part


_SHOWN = 60


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_shown(value) for value in values)


def _in_words(error: Any) -> str:
    """A finding of the validator without Python's notation."""
    value, want = _shown(error.instance), error.validator_value
    match error.validator:
        case "type":
            types = [want] if isinstance(want, str) else want
            return f"{value} is not of the type {' or '.join(map(str, types))}"
        case "enum":
            return f"{value} is not one of {_listed(want)}"
        case "const":
            return f"{value} is not {_shown(want)}"
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" | "multipleOf":
            return f"{value} breaks {error.validator} {_shown(want)}"
        case "minLength" | "maxLength" | "minItems" | "maxItems" | "pattern" | "format":
            return f"{value} breaks {error.validator} {_shown(want)}"
        case "required":
            missing = [name for name in want if name not in error.instance]
            return f"{value} lacks {_listed(missing)}"
        case _:
            return f"{value} breaks {error.validator}"
