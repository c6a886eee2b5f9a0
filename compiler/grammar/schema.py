"""JSON Schema of a tool's arguments → which parameters there are and what a line can hold for each.

The grammar takes from a schema what a line of text can show: keys, required keys, types, enums, constants, unions and
nullability of scalars and lists of scalars. What it cannot show (``minimum``, ``pattern``, …) is named in
`Parameter.checked`, for the report; objects and nested lists can only be given as a template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentic_dsl.compiler.grammar.value_rules import (
    ANY,
    ANY_SCALAR,
    KINDS,
    SCALAR_KINDS,
    Shape,
    is_writable,
    shape,
)
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import ConstraintError

_HARMLESS = frozenset({"title", "description", "default", "examples", "example", "deprecated"}) | {
    *("readOnly", "writeOnly", "$schema", "$id", "$anchor", "$comment", "$defs", "definitions")
}
"""Keywords that restrict no value."""

_COMPILED = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable", "items"})
"""Keywords that the grammar enforces, as far as one line can show the value."""

_TOP_COMPILED = frozenset({"type", "properties", "required", "additionalProperties"})

_MAX_DEPTH = 64
_NOTHING = Shape()

_TYPE_ALONE = frozenset({"type"})
_PLAIN_SHAPES = {kind: shape([kind]) for kind in SCALAR_KINDS}
"""The schemas that most catalogues consist of."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        name: its key.
        required: whether every call gives it.
        shape: the values that a line can hold; empty where only a template can stand.
        checked: the keywords of its schema that the grammar leaves to the check afterwards.
    """

    name: str
    required: bool
    shape: Shape
    checked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolParameters:
    """The arguments of a tool.

    Attributes:
        parameters: in the order of the schema.
        checked: the schema's own keywords that are left to the check.
        left_out: optional parameters whose schema allows no value, so that no call gives them.
    """

    parameters: tuple[Parameter, ...] = ()
    checked: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def tool_parameters(tool: ToolSpec) -> ToolParameters:
    """What the schema of a tool's arguments asks for.

    Raises:
        ConstraintError: the schema is none of an object, is invalid, refers to itself or to nothing, or leaves no value
            for a required parameter; the message names tool and parameter.
    """
    return _Reader(tool).read()


@dataclass(slots=True)
class _Reader:
    """Reads one tool's schema; holds what error messages need."""

    tool: ToolSpec
    parameter: str | None = None
    checked: dict[str, None] = field(default_factory=dict)

    def read(self) -> ToolParameters:
        schema = self.tool.parameters
        if not schema:
            return ToolParameters()
        schema = self._resolve(schema)
        if schema.get("type", "object") not in ("object", ["object"]):
            raise self._error("the schema of the arguments is not that of an object", 'set its "type" to "object"')
        properties = schema.get("properties", {})
        if not isinstance(properties, Mapping):
            raise self._error('"properties" is not a mapping', "write one schema for each parameter")
        required = schema.get("required", [])
        if not isinstance(required, list | tuple) or not all(isinstance(name, str) for name in required):
            raise self._error('"required" is not a list of names', "list the names of the required parameters")
        # A required key without a schema of its own may hold anything.
        schemas = dict(properties) | {name: {} for name in required if name not in properties}
        found = {name: self._parameter(name, sub, name in required) for name, sub in schemas.items()}
        return ToolParameters(
            parameters=tuple(parameter for parameter in found.values() if parameter is not None),
            checked=tuple(word for word in schema if word not in _HARMLESS and word not in _TOP_COMPILED),
            left_out=tuple(name for name, parameter in found.items() if parameter is None),
        )

    def _parameter(self, name: str, schema: Any, required: bool) -> Parameter | None:
        if not isinstance(name, str):
            raise self._error("a parameter's name is not text", "write the names of parameters as strings")
        self.parameter, self.checked = name, {}
        try:
            wanted = self._shape(schema, 0)
            if wanted.is_empty:
                if required:
                    raise self._error("no value satisfies its schema", "correct the schema or make it optional")
                return None
            return Parameter(name, required, wanted, tuple(self.checked))
        finally:
            self.parameter = None

    def _shape(self, schema: Any, depth: int) -> Shape:
        """The values of a (sub)schema."""
        if schema is True or schema == {}:
            return ANY
        if schema is False:
            return _NOTHING
        if depth > _MAX_DEPTH:
            raise self._error("its schema nests too deeply", "flatten it")
        schema = self._resolve(schema)
        said = schema.keys() - _HARMLESS
        if said == _TYPE_ALONE and (plain := _PLAIN_SHAPES.get(_one_type(schema["type"]))) is not None:
            return plain
        self.checked.update(dict.fromkeys(word for word in schema if word in said and word not in _COMPILED))
        wanted = self._own(schema, depth)
        for part in self._subschemas(schema, "allOf"):
            wanted &= self._shape(part, depth + 1)
        for word in ("anyOf", "oneOf"):
            if parts := self._subschemas(schema, word):
                union = _NOTHING
                for part in parts:
                    union |= self._shape(part, depth + 1)
                wanted &= union
        if schema.get("nullable") is True:
            wanted |= shape(["null"])
        return wanted

    def _own(self, schema: Mapping[str, Any], depth: int) -> Shape:
        """What ``type``, ``items``, ``enum`` and ``const`` say."""
        kinds = schema.get("type", list(KINDS))
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list | tuple) or not kinds or any(kind not in KINDS for kind in kinds):
            raise self._error(f'"type" is {_shown(kinds)}', f"use one of {', '.join(KINDS)}")
        items = self._items(schema.get("items", True), depth) if "array" in kinds else None
        wanted = shape(kinds, items=items)
        if "const" in schema:
            wanted &= self._literals([schema["const"]])
        if "enum" in schema:
            values = schema["enum"]
            if not isinstance(values, list | tuple) or not values:
                raise self._error('"enum" is not a list of values', "list at least one value")
            wanted &= self._literals(values)
        return wanted

    def _items(self, schema: Any, depth: int) -> Shape:
        """What a list's items may be on one line: scalars; anything else only as a template."""
        if isinstance(schema, list | tuple):  # one schema for each position, as in older drafts
            self.checked["items"] = None
            return ANY_SCALAR
        wanted = self._shape(schema, depth + 1)
        return Shape(wanted.kinds - {"array", "object"}, wanted.literals)

    def _literals(self, values: Any) -> Shape:
        """The shape of an enumeration."""
        for value in values:
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                raise self._error("a value of its enum is no JSON value", "list JSON values") from None
            if not is_writable(value):
                self.checked["enum"] = None
        return shape((), values)

    def _subschemas(self, schema: Mapping[str, Any], word: str) -> list[Any]:
        if word not in schema:
            return []
        parts = schema[word]
        if not isinstance(parts, list | tuple) or not parts:
            raise self._error(f'"{word}" is not a list of schemas', "list at least one schema")
        return list(parts)

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        """The schema behind ``$ref``, together with what stands beside it."""
        beside: dict[str, Any] = {}
        followed: set[str] = set()
        while True:
            if not isinstance(schema, Mapping):
                raise self._error(f"{_shown(schema)} stands where a schema belongs", "write a mapping")
            if "$ref" not in schema:
                return {**schema, **beside} if beside else schema
            target = schema["$ref"]
            if target in followed:
                raise self._error(f'"$ref": "{target}" leads back to itself', "give the schema in full")
            followed.add(target)
            beside = {**{k: v for k, v in schema.items() if k != "$ref"}, **beside}
            schema = self._target(target)

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._error(
                f'"$ref": {_shown(reference)} leads out of the schema', "copy the schema referred to under $defs"
            )
        at: Any = self.tool.parameters
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(at, list | tuple) and key.isdigit() and int(key) < len(at):
                at = at[int(key)]
            elif isinstance(at, Mapping) and key in at:
                at = at[key]
            else:
                raise self._error(f'"$ref": "{reference}" names nothing', "add what it names under $defs")
        return at

    def _error(self, what: str, help: str) -> ConstraintError:
        where = f'tool "{self.tool.name}"' + (f', parameter "{self.parameter}"' if self.parameter is not None else "")
        return ConstraintError(f"{where}: {what}", help=help)


def _one_type(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    """A value in a message, as JSON shows it, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
