"""The lines below ``arguments:`` of a tool whose arguments are known.

A line is offered only where a valid call goes on from it, and the list ends only where the call is valid; which these
are is told by the required arguments, or by the tool's rules (`call_rules`) where its schema says more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.call_rules import PLAIN, TEMPLATE, Given, ValueClass
from agentic_dsl.runtime.matcher.bounded_values import argument_value
from agentic_dsl.runtime.matcher.catalogue import PlannedTool
from agentic_dsl.runtime.matcher.frames import Fixed, Frame, Option, Then, choice

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

Leave = Callable[["Draft"], list[Option]]
"""What may come after the arguments."""

_HEADER = b"    arguments:\n"
_EVERY: tuple[ValueClass, ...] = (PLAIN, TEMPLATE)


def argument_lines(doc: Draft, tool: PlannedTool, leave: Leave) -> Frame:
    """The arguments of a call, header included, or what follows where there may be none."""
    ending = leave(doc) if _may_end(tool, 0, Given()) else []
    lines = _lines(tool, 0, Given(), leave)
    if not lines:
        return choice(doc, ending)
    return choice(doc, [*ending, (_HEADER, lambda doc: choice(doc, lines))])


def _may_end(tool: PlannedTool, at: int, given: Given) -> bool:
    """Whether the list of arguments may end before a position."""
    if tool.rules is not None:
        return tool.rules.may_end(at, given)
    return not any(parameter.required for parameter in (tool.parameters or ())[at:])


def _lines(tool: PlannedTool, at: int, given: Given, leave: Leave) -> list[Option]:
    """The argument lines that may come next, a required one first."""
    options: list[Option] = []
    for position, classes in _next_ones(tool, at, given):
        parameter = (tool.parameters or ())[position]
        option: Option = (parameter.text, partial(_argument, tool, position, given, classes, leave))
        options.insert(0 if parameter.required else len(options), option)
    return options


def _next_ones(tool: PlannedTool, at: int, given: Given) -> Iterator[tuple[int, tuple[ValueClass, ...]]]:
    if tool.rules is not None:
        yield from tool.rules.next_ones(at, given)
        return
    for position, parameter in enumerate(tool.parameters or ()):
        if position >= at:
            yield position, _EVERY
            if parameter.required:
                return


def _argument(
    tool: PlannedTool, position: int, given: Given, classes: tuple[ValueClass, ...], leave: Leave, doc: Draft
) -> Frame:
    """The value of an argument, of one of some classes."""
    parameter = (tool.parameters or ())[position]

    def after(value: ValueClass, doc: Draft) -> Frame:
        now = tool.rules.plus(given, position, value) if tool.rules is not None else given
        ending = leave(doc) if _may_end(tool, position + 1, now) else []
        return choice(doc, [*ending, *_lines(tool, position + 1, now, leave)])

    def line_end(value: ValueClass) -> Then:
        return lambda doc: Fixed(doc, b"\n", partial(after, value))

    ways = {value: line_end(value) for value in classes}
    if tool.rules is None:
        ways = dict.fromkeys(classes, ways[PLAIN])
    return argument_value(doc, parameter, lambda value: ways.get(parameter.class_of(value)))
