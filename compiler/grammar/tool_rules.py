"""Tool calls: the tool's name and the argument lines that its schema allows."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl.compiler.grammar.ir import EMPTY, Expr, alt, optional, seq, some
from agentic_dsl.compiler.grammar.printing import print_name
from agentic_dsl.compiler.grammar.rule_book import RuleBook, rule_name
from agentic_dsl.compiler.grammar.schema import Parameter, ToolParameters
from agentic_dsl.compiler.grammar.value_rules import ANY, Shape, value_line
from agentic_dsl.compiler.grammar.words import ARGUMENT_KEY, NAME_LINE

_INDENT = "      "


def define_value(book: RuleBook, shape: Shape, *, templates: bool = True) -> Expr:
    """The rest of a line that holds a value of a shape."""
    line, rules = value_line(shape, templates=templates)
    if not rules.keys() <= book.rules.keys():
        for name, expr in rules.items():
            book.define(name, expr)
    return line


def free_arguments(book: RuleBook) -> Expr:
    """``arguments:`` of a tool about which nothing is known."""
    any_line = define_value(book, ANY)
    entry = book.define("argument", seq(_INDENT, ARGUMENT_KEY, any_line))
    return optional("    arguments:\n", some(entry))


def arguments(book: RuleBook, tool: str, known: ToolParameters) -> Expr:
    """``arguments:`` of a known tool: required lines and optional ones in schema order, and no others."""
    parameters = known.parameters
    if not parameters:
        return EMPTY
    lines = [_line(book, parameter) for parameter in parameters]
    header = "    arguments:\n"
    if any(parameter.required for parameter in parameters):
        shown = [line if p.required else optional(line) for p, line in zip(parameters, lines, strict=True)]
        return seq(header, *shown)
    return optional(header, book.some_in_order(rule_name("arguments", tool), lines))


def _line(book: RuleBook, parameter: Parameter) -> Expr:
    return seq(f"{_INDENT}{print_name(parameter.name)}: ", define_value(book, parameter.shape))


def tool_lines(book: RuleBook, tools: Mapping[str, ToolParameters] | None) -> Expr:
    """``tool:`` and its ``arguments:``; ``tools`` None is any tool."""
    if tools is None:
        return seq("    tool: ", NAME_LINE, free_arguments(book))
    options: list[Expr] = []
    for name, known in tools.items():
        lines = arguments(book, name, known)
        # Arguments are a rule of their own, so that the choice of the tool stays one small rule.
        rest: Expr = lines if lines == EMPTY else book.define(rule_name("tool", name), lines)
        options.append(seq(f"{print_name(name)}\n", rest))
    return seq("    tool: ", alt(*options))
