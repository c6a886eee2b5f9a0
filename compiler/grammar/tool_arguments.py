"""How a tool can be called: the values of each argument, and which of them may be given together.

The first comes from `argument_values`, the second from `call_rules`; both hold what the check of the finished text
holds. A tool of which no call is surely valid is not called, and the reason is kept for the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from agentic_dsl.compiler.checks.patterns import is_harmless
from agentic_dsl.compiler.checks.schemas import CompiledSchema, compile_schema
from agentic_dsl.compiler.grammar.argument_values import (
    ANY,
    JUDGED,
    UNSURE,
    Allowed,
    allowed_values,
    listed_values,
    same_value,
)
from agentic_dsl.compiler.grammar.call_rules import CallRules, ToldApart
from agentic_dsl.compiler.grammar.schema import Parameter, tool_parameters
from agentic_dsl.compiler.grammar.value_rules import is_writable
from agentic_dsl.constraints import ToolSpec

SHORTEST_TEMPLATE = "{{ now }}"
"""A template that can stand anywhere."""

_MOST_RULED = 200
"""Arguments of a tool whose schema says which may be given together; beyond, optional ones are left out."""

_JUDGING = JUDGED | {"then", "else"}
_OF_SINGLE = frozenset({"type", "properties", "required", "additionalProperties", "patternProperties"})
"""Keywords of the whole schema that are about one argument at a time."""


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument of a tool.

    Attributes:
        literals: values that may stand there and are not among those of ``allowed``.
        allowed: further values.
        filled: whether a text with a template in it may stand there; one whole template may always.
        told_apart: whether what else may be given depends on the value.
    """

    name: str
    required: bool
    literals: tuple[Any, ...]
    allowed: Allowed
    filled: bool = False
    told_apart: bool = False

    def can_be_given(self, *, templates: bool) -> bool:
        """Whether there is a value for it; ``templates`` where one fits into a text."""
        return templates or bool(self.literals) or not self.allowed.is_empty


@dataclass(frozen=True, eq=False)
class ToolArguments:
    """How a tool can be called within a bound of texts.

    Attributes:
        arguments: in the order of the schema.
        rules: which of them may be given together; None where only the required ones matter.
        refused: why no call can be written, None where one can.
    """

    arguments: tuple[Argument, ...]
    rules: CallRules | None = None
    refused: str | None = None


def tool_arguments(tool: ToolSpec, room: int) -> ToolArguments:
    """How a tool can be called with texts of at most ``room`` characters.

    Raises:
        ConstraintError: its schema cannot be read (see `schema.tool_parameters`).
    """
    parameters = tool_parameters(tool).parameters
    return _read(parameters, json.dumps(tool.parameters, sort_keys=True, default=str), room)


@lru_cache(maxsize=2048)
def _read(parameters: tuple[Parameter, ...], schema: str, room: int) -> ToolArguments:
    compiled = compile_schema(json.loads(schema))
    if compiled.problem is not None:
        return ToolArguments((), refused=f"its schema is none: {compiled.problem}")
    known = [p for p in parameters if p.name in compiled.properties or compiled.is_open]
    for parameter in parameters:
        if parameter.required and parameter not in known:
            return ToolArguments((), refused=f'"{parameter.name}" is required and is none of its arguments')
    templates = room >= len(SHORTEST_TEMPLATE)
    root, single = compiled.schema, _about_single(compiled.schema)
    whole = {word: part for word, part in root.items() if word in _JUDGING and word not in _OF_SINGLE}
    if "allOf" in whole and len(single.get("allOf", ())) == len(whole["allOf"]):
        del whole["allOf"]
    told = ToldApart.by(whole, root) if whole else ToldApart()
    alone = compile_schema(single)
    found = tuple(_argument(parameter, alone, told, room, templates) for parameter in known)
    given = tuple(one for one in found if one.can_be_given(templates=templates))
    if lacking := [one.name for one in found if one.required and one not in given]:
        return ToolArguments(given, refused=f'no value of "{lacking[0]}" can be written')
    if not whole:
        return ToolArguments(given)
    kept = tuple(one for at, one in enumerate(given) if one.required or at < _MOST_RULED // 2)
    if len(given) > _MOST_RULED:
        if len(kept) > _MOST_RULED:
            return ToolArguments(given, refused=f"more than {_MOST_RULED} arguments under {', '.join(whole)}")
        dropped = tuple(one.name for one in given if one not in kept)
        given = kept
    else:
        dropped = ()
    rules = CallRules(compiled, given, told, templates=templates)
    rules.never += dropped
    refused = None if rules.is_satisfiable else f"no call is surely valid under {', '.join(whole)}"
    return ToolArguments(given, rules, refused)


def _about_single(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a schema says of each argument by itself; parts of ``allOf`` that say nothing else are among it."""
    single = {word: part for word, part in schema.items() if word in _OF_SINGLE or word not in _JUDGING}
    parts = [part for part in schema.get("allOf", ()) if isinstance(part, Mapping) and _is_single(part)]
    return single | ({"allOf": parts} if parts else {})


def _is_single(part: Mapping[str, Any]) -> bool:
    return part.keys() & _JUDGING <= {"type", "properties", "required"} and part.get("type", "object") == "object"


def _argument(parameter: Parameter, alone: CompiledSchema, told: ToldApart, room: int, templates: bool) -> Argument:
    """An argument with the values that its schema surely allows."""
    name, root = parameter.name, alone.schema
    allowed = UNSURE
    schemas = _schemas(name, alone)
    if schemas:
        allowed = ANY
        for schema in schemas:
            allowed &= allowed_values(schema, root)
    allowed = allowed.within(room, templates=templates)
    listed = [value for schema in schemas for value in listed_values(schema, root)]
    # The grammar shows what the shape holds: enumerated values as they are, others in the generated layout.
    literals = [*parameter.shape.literals, *(value for value in listed if _is_shown(value, parameter))]
    told_apart = told.is_sensitive(name)
    if told_apart:
        literals += [*allowed.words, *(value for value in told.constants if _is_shown(value, parameter))]
        allowed = replace(allowed, words=())
    kept: list[Any] = []
    for value in literals:
        writable = is_writable(value) and _fits(value, room) and (told_apart or not allowed.holds(value))
        plain = _plain(value)
        if writable and not any(same_value(plain, one) for one in kept) and not list(alone.findings({name: plain})):
            kept.append(plain)
    return Argument(name, parameter.required, tuple(kept), allowed, "string" in parameter.shape.kinds, told_apart)


def _schemas(name: str, alone: CompiledSchema) -> list[Any]:
    """The schemas that hold for one argument by itself."""
    root = alone.schema
    if name not in alone.properties:
        # Only required ones come here, which an open schema allows without a word about their values.
        return [True] if root.get("additionalProperties") is True and "patternProperties" not in root else []
    found = [alone.properties[name]]
    found += [part["properties"][name] for part in root.get("allOf", ()) if name in part.get("properties", {})]
    for pattern, schema in root.get("patternProperties", {}).items():
        if is_harmless(pattern) and re.search(pattern, name):
            found.append(schema)
    return found


def _is_shown(value: Any, parameter: Parameter) -> bool:
    """Whether the grammar has a line for a value that its schema names without enumerating it."""
    return parameter.shape.holds(value) and ANY.holds(value)


def _fits(value: Any, room: int) -> bool:
    if isinstance(value, str):
        return len(value) <= room
    if isinstance(value, list | tuple):
        return all(_fits(item, room) for item in value)
    return True


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
