"""The tools of one request as the tracker writes them: names, argument lines, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic_dsl.compiler.checks.schemas import CompiledSchema, compile_schema
from agentic_dsl.compiler.grammar.printing import print_name, print_value
from agentic_dsl.compiler.grammar.schema import Parameter, tool_parameters
from agentic_dsl.compiler.grammar.value_rules import Shape, is_writable
from agentic_dsl.constraints import Constraints, ToolSpec

_JUDGED = frozenset({"type", "enum", "const", "anyOf", "items"})
_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format", "$comment"}
)
"""Keywords of a schema that the shape of a value says completely, and those that say nothing about it."""


@dataclass(frozen=True, eq=False)
class PlannedParameter:
    """One argument line.

    Attributes:
        text: from the indent to where the value begins.
        literals: whole values that may stand there, printed, sorted.
        shape: the other literal values that may stand there; a template may always.
    """

    name: str
    text: bytes
    required: bool
    literals: tuple[bytes, ...]
    shape: Shape


@dataclass(frozen=True, eq=False)
class PlannedTool:
    """One tool.

    Attributes:
        printed: its name as it stands in the text.
        parameters: None where nothing is known of its arguments.
        returns: the schema of its result, None where nothing is known of it.
    """

    name: str
    printed: bytes
    parameters: tuple[PlannedParameter, ...] | None
    returns: Mapping[str, Any] | None


UNKNOWN_TOOL = PlannedTool("", b"", None, None)
"""A tool of which nothing is known."""


def plan_tools(constraints: Constraints, shortest_template: int) -> tuple[PlannedTool, ...] | None:
    """The tools that can be called; None where any can.

    A tool is left out where its name is longer than a text may be, or where a required argument could only be a
    template and no template fits into a text.

    Raises:
        ConstraintError: a schema cannot be compiled.
    """
    if constraints.tools is None:
        return None
    room = constraints.max_text_chars
    planned = (_plan(tool, room) for tool in constraints.tools if len(tool.name) <= room)
    usable = [tool for tool in planned if shortest_template <= room or not _needs_template(tool)]
    return tuple(sorted(usable, key=lambda tool: tool.printed))


def _needs_template(tool: PlannedTool) -> bool:
    return any(p.required and not p.literals and not p.shape.kinds - {"object"} for p in tool.parameters or ())


def _plan(tool: ToolSpec, room: int) -> PlannedTool:
    compiled = compile_schema(tool.parameters)
    found = tool_parameters(tool).parameters
    parameters = tuple(_parameter(parameter, compiled, room) for parameter in found)
    return PlannedTool(tool.name, print_name(tool.name).encode(), parameters, tool.returns or None)


def _parameter(parameter: Parameter, compiled: CompiledSchema, room: int) -> PlannedParameter:
    """A parameter with the values that its schema surely allows.

    Values of a kind are written character by character, so they are allowed only where the kind is all that the schema
    says of them; literals are held to the schema here.
    """
    shape = parameter.shape
    literals = [value for value in shape.literals if is_writable(value) and _fits(value, room)]
    kept = [value for value in literals if not list(compiled.findings({parameter.name: _plain(value)}))]
    clean = _is_clean(compiled.properties.get(parameter.name, {}), compiled.schema, 0)
    return PlannedParameter(
        name=parameter.name,
        text=f"      {print_name(parameter.name)}: ".encode(),
        required=parameter.required,
        literals=tuple(sorted({print_value(value).encode() for value in kept})),
        shape=Shape(shape.kinds, (), shape.items) if clean else Shape(),
    )


def _fits(value: Any, room: int) -> bool:
    if isinstance(value, str):
        return len(value) <= room
    if isinstance(value, Sequence):
        return all(_fits(item, room) for item in value)
    return True


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _is_clean(schema: Any, root: Mapping[str, Any], depth: int) -> bool:
    """Whether the kinds of values are all that a schema says beyond its literals."""
    if schema is True or schema == {}:
        return True
    if not isinstance(schema, Mapping) or depth > 8:
        return False
    if not schema.keys() <= _JUDGED | _NOTES:
        return False
    if ("enum" in schema or "const" in schema) and "anyOf" in schema:
        return False
    items = schema.get("items", True)
    parts = [items, *schema.get("anyOf", ())]
    return all(_is_clean(part, root, depth + 1) for part in parts)
