"""The tools of one request as the tracker writes them: names, argument lines, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentic_dsl.compiler.grammar.argument_values import Allowed
from agentic_dsl.compiler.grammar.call_rules import PLAIN, TEMPLATE, CallRules, ValueClass
from agentic_dsl.compiler.grammar.printing import print_name, print_value
from agentic_dsl.compiler.grammar.tool_arguments import Argument, tool_arguments
from agentic_dsl.compiler.grammar.value_rules import Shape, shape
from agentic_dsl.constraints import Constraints, ToolSpec


@dataclass(frozen=True, eq=False)
class PlannedParameter:
    """One argument line.

    Attributes:
        text: from the indent to where the value begins.
        literals: whole values that may stand there, printed.
        allowed: the other literal values that may stand there.
        filled: whether a text with a template in it may stand there; one whole template may always.
        told_apart: whether what else may be given depends on the value.
    """

    name: str
    text: bytes
    required: bool
    literals: tuple[bytes, ...]
    allowed: Allowed
    filled: bool = False
    told_apart: bool = False

    @property
    def shape(self) -> Shape:
        """The kinds of the literal values that are not enumerated."""
        return shape(self.allowed.kinds)

    def class_of(self, value: ValueClass) -> ValueClass:
        """The class of a value among those of which the tool's rules speak."""
        return value if self.told_apart or value == TEMPLATE else PLAIN


@dataclass(frozen=True, eq=False)
class PlannedTool:
    """One tool.

    Attributes:
        printed: its name as it stands in the text.
        parameters: None where nothing is known of its arguments.
        returns: the schema of its result, None where nothing is known of it.
        rules: which arguments may be given together, None where only the required ones matter.
    """

    name: str
    printed: bytes
    parameters: tuple[PlannedParameter, ...] | None
    returns: Mapping[str, Any] | None
    rules: CallRules | None = None


UNKNOWN_TOOL = PlannedTool("", b"", None, None)
"""A tool of which nothing is known."""


def plan_tools(constraints: Constraints) -> tuple[PlannedTool, ...] | None:
    """The tools that can be called; None where any can.

    A tool is left out where its name is longer than a text may be, or where no call of it can be written; the report
    of `compile` says so.

    Raises:
        ConstraintError: a schema cannot be read.
    """
    if constraints.tools is None:
        return None
    room = constraints.max_text_chars
    planned = (_plan(tool, room) for tool in constraints.tools if len(tool.name) <= room)
    return tuple(sorted((tool for tool in planned if tool is not None), key=lambda tool: tool.printed))


def _plan(tool: ToolSpec, room: int) -> PlannedTool | None:
    found = tool_arguments(tool, room)
    if found.refused is not None:
        return None
    parameters = tuple(map(_parameter, found.arguments))
    return PlannedTool(tool.name, print_name(tool.name).encode(), parameters, tool.returns or None, found.rules)


def _parameter(argument: Argument) -> PlannedParameter:
    return PlannedParameter(
        name=argument.name,
        text=f"      {print_name(argument.name)}: ".encode(),
        required=argument.required,
        literals=tuple(print_value(value).encode() for value in argument.literals),
        allowed=argument.allowed,
        filled=argument.filled,
        told_apart=argument.told_apart,
    )
