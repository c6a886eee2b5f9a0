"""What is wrong with a JSON Schema, if anything: remote or endless references, broken patterns, misused keywords."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_NOTES = frozenset({"description", "title", "default", "examples", "$comment", "format"})
_PLAIN_PROPERTY = _NOTES | {"type", "enum"}
PLAIN_OBJECT = _NOTES | {"type", "properties", "required", "additionalProperties", "$schema"}
_TYPES = frozenset({*SCALARS, "object", "array", "null"})


def is_surely_good(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is of the plain sort that catalogues consist of; saves the slow meta-schema."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        schema.keys() <= PLAIN_OBJECT - {"$schema"}
        and schema.get("type", "object") == "object"
        and isinstance(properties, dict)
        and all(is_plain_property(value) for value in properties.values())
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
        and len(set(required)) == len(required)
        and isinstance(schema.get("additionalProperties", False), bool)
        and all(isinstance(schema.get(note, ""), str) for note in ("description", "title"))
    )


def is_plain_property(schema: Any) -> bool:
    """Whether a schema of one field holds nothing but a type, an enumeration and notes."""
    if not isinstance(schema, Mapping) or not schema.keys() <= _PLAIN_PROPERTY:
        return False
    enum = schema.get("enum", ())
    return (
        isinstance(schema.get("type", "string"), str)
        and schema.get("type", "string") in _TYPES
        and isinstance(enum, list | tuple)
        and all(isinstance(schema.get(note, ""), str) for note in ("description", "title", "format", "$comment"))
        and isinstance(schema.get("examples", []), list | tuple)
    )


def fault_of(schema: Mapping[str, Any]) -> str | None:
    """Why a mapping is no JSON Schema, in one sentence; None where it is one."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, registry=registry())
        error = best_match(meta.iter_errors(schema))
    except RecursionError:
        return "it is nested too deeply"
    if error is not None:
        where = ".".join(map(str, error.absolute_path))
        return f'the value of "{where}" breaks "{error.validator}"' if where else f'it breaks "{error.validator}"'
    return _bad_reference(schema) or _bad_pattern(schema)


def _bad_reference(schema: Mapping[str, Any]) -> str | None:
    """Why a ``$ref`` in a schema cannot be followed, None where all can."""
    for node in _parts(schema):
        reference = node.get("$ref")
        if not isinstance(reference, str):
            continue
        if not reference.startswith("#"):
            return f'the reference "{reference}" leads out of the schema, and references are not fetched'
        if not _leads_somewhere(schema, reference):
            return f'the reference "{reference}" leads nowhere'
    return None


def _leads_somewhere(schema: Mapping[str, Any], reference: str) -> bool:
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return any(f"#{node.get('$anchor')}" == reference for node in _parts(schema))
    at: Any = schema
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, Mapping) and name in at:
            at = at[name]
        elif isinstance(at, list | tuple) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        else:
            return False
    return True


def _bad_pattern(schema: Mapping[str, Any]) -> str | None:
    for node in _parts(schema):
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError):
                return f'the pattern "{pattern}" is no regular expression'
    return None


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside a schema, itself included."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, Mapping):
            yield part
            stack.extend(part.values())
        elif isinstance(part, list | tuple):
            stack.extend(part)


@cache
def registry() -> Any:
    """The meta-schemas and nothing else: what is not among them is never fetched."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # ships no type information

    return REGISTRY
