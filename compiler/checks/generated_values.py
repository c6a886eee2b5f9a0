"""Texts and values have forms that generated text has: each is held to the grammar's own rule for its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from agentic_dsl import codes
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.generated_fields import generated_fields
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.grammar.automaton import Automaton
from agentic_dsl.compiler.grammar.ir import Expr
from agentic_dsl.compiler.grammar.lower import STATIC_RULES
from agentic_dsl.compiler.grammar.node_rules import TEXT_FORMS, TEXT_VALUES
from agentic_dsl.compiler.grammar.schema import tool_parameters
from agentic_dsl.compiler.grammar.text_rules import PLAIN_TEXT_LINE, TEXT_LINE
from agentic_dsl.compiler.grammar.value_rules import ANY, Shape, value_line
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format_values import inline, is_inline, quote
from agentic_dsl.node_table import FieldSpec, Node, ToolCall


def check_values(context: CheckContext) -> Iterator[Diagnostic]:
    """Every text and value of a generated document can stand on its line."""
    if context.constraints is None:
        return
    tools = {tool.name: tool for tool in context.constraints.tools or ()}
    for place in context.graph.places:
        node: Node = place.node
        fields = generated_fields(node)
        for spec in fields.lines:
            if value := getattr(node, spec.name):
                yield from _check_text(node, spec, value)
        for spec in fields.values:
            if (value := getattr(node, spec.name)) and isinstance(value, Mapping):
                yield from _check_mapping(node, spec, value, tools)


def _check_text(node: Node, spec: FieldSpec, text: str) -> Iterator[Diagnostic]:
    line = TEXT_FORMS.get((node.type, spec.name)) or (TEXT_LINE if spec.template else PLAIN_TEXT_LINE)
    if not _line(line).accepts(f"{quote(text)}\n"):
        yield _finding(node, (*spec.path,), f"{spec.path[-1]} of node", text)


def _check_mapping(
    node: Node, spec: FieldSpec, values: Mapping[str, Any], tools: Mapping[str, ToolSpec]
) -> Iterator[Diagnostic]:
    shapes = _shapes(tools.get(node.tool)) if isinstance(node, ToolCall) and spec.name == "arguments" else {}
    for key, value in values.items():
        if (node.type, spec.name) == TEXT_VALUES:
            fits = isinstance(value, str) and _line(TEXT_LINE).accepts(f"{quote(value)}\n")
        else:
            wanted = shapes.get(key, ANY)
            # What no template is in and what is not nested is a matter of the tool's schema, and judged there.
            fits = _is_plain(value) if wanted is not ANY else True
            fits = fits or (is_inline(value) and _value(wanted).accepts(f"{inline(value)}\n"))
        if not fits:
            yield _finding(node, (*spec.path, key), f'"{key}" in {spec.path[-1]} of node', value)


def _is_plain(value: Any) -> bool:
    """Whether a value holds neither a template nor another value inside."""
    return not isinstance(value, Mapping | list | tuple) and not (isinstance(value, str) and is_template(value))


def _finding(node: Node, path: tuple[str, ...], what: str, value: Any) -> Diagnostic:
    if not isinstance(value, str) and not is_inline(value):
        why, help_ = "holds a list or mapping inside another", "pass it whole, as one template"
    elif isinstance(value, str) and is_template(value):
        why = "holds a template that generated text cannot have there"
        help_ = 'write "{{ name.field }}", alone where the value is no text'
    else:
        why, help_ = (
            "has a form that generated text does not have",
            "write plain text, a number of usual size or a template",
        )
    return codes.NOT_GENERATED_FORM.at(node.at(*path), f'{what} "{node.id}" {why}', help=help_)


@lru_cache(maxsize=64)
def _line(expr: Expr) -> Automaton:
    return Automaton(expr, STATIC_RULES)


@lru_cache(maxsize=1024)
def _value(shape: Shape) -> Automaton:
    expr, rules = value_line(shape)
    return Automaton(expr, {**STATIC_RULES, **rules})


def _shapes(tool: ToolSpec | None) -> Mapping[str, Shape]:
    """Parameter → the values that a line can hold; a schema that cannot be read is another check's finding."""
    if tool is None:
        return {}
    try:
        return {parameter.name: parameter.shape for parameter in tool_parameters(tool).parameters}
    except ConstraintError:
        return {}
