"""Tool calls against the schemas that their tools declare: arguments and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentic_dsl import codes
from agentic_dsl.compiler.checks.catalogue import lacks
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.schemas import CompiledSchema, ValueFinding, compile_schema, is_template
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import ToolCall
from agentic_dsl.span import NOWHERE, Span


def check_schemas(context: CheckContext) -> Iterator[Diagnostic]:
    """The schemas that the document's resources declare are schemas."""
    resources = context.document.resources
    if resources is None:
        return
    for position, entry in enumerate(resources.entries):
        if entry.type != "tool":
            continue
        for key in ("parameters", "returns"):
            value = entry.options.get(key)
            if value is None:
                continue
            problem = compile_schema(value).problem if isinstance(value, Mapping) else "a schema is a mapping"
            if problem is not None:
                span = resources.spans.value(("resources", position, key)) or entry.span
                yield codes.BAD_SCHEMA.at(
                    span, f'{key} of the tool "{entry.name}" is no JSON Schema: {problem}', help="correct the schema"
                )


def check_arguments(context: CheckContext) -> Iterator[Diagnostic]:
    """Arguments are ones that the tool has, the required ones are there, and values are of their types."""
    tools = context.tools
    for place in context.graph.places:
        node = place.node
        if not isinstance(node, ToolCall) or (tool := tools.get(node.tool)) is None:
            continue
        if tool.parameters is not None and tool.parameters.problem is not None and tool.span == NOWHERE:
            yield codes.BAD_SCHEMA.at(
                node.at("tool"),
                f'parameters of the tool "{tool.name}" are no JSON Schema: {tool.parameters.problem}',
                help="correct the catalogue of tools",
            )
        elif tool.parameters is not None and tool.parameters.problem is None and not isinstance(node.arguments, str):
            yield from _check_call(context, node, node.arguments, tool.parameters)


def _check_call(
    context: CheckContext, node: ToolCall, arguments: Mapping[str, Any], parameters: CompiledSchema
) -> Iterator[Diagnostic]:
    for name in parameters.required:
        if name not in arguments:
            yield codes.MISSING_ARGUMENT.at(
                node.key_at("arguments") if node.arguments else node.at("tool"),
                f'node "{node.id}" calls "{node.tool}" without the argument "{name}"',
                help=f'add "{name}" to the arguments',
            )
    for name in arguments:
        if name not in parameters.properties and not parameters.is_open:
            known = ", ".join(parameters.properties)
            yield codes.UNKNOWN_ARGUMENT.at(
                node.key_at("arguments", name),
                f'the tool "{node.tool}" has no argument "{name}"',
                help=context.suggester.help(
                    name, parameters.properties, f"use one of: {known}" if known else "drop it: the tool takes none"
                ),
            )
    for finding in parameters.findings(arguments):
        if not finding.path or finding.path[0] in parameters.properties or parameters.is_open:
            yield _bad_argument(node, finding)


def _bad_argument(node: ToolCall, finding: ValueFinding) -> Diagnostic:
    what = f'argument "{".".join(map(str, finding.path))}"' if finding.path else "the arguments"
    return codes.BAD_ARGUMENT.at(
        node.at("arguments", *finding.path),
        f'{what} of "{node.tool}": {finding.message}',
        help="give a value that the tool's schema allows, or a template",
    )


def check_results(context: CheckContext) -> Iterator[Diagnostic]:
    """What a node takes out of a tool's result is there."""
    for place in context.graph.places:
        node = place.node
        if not isinstance(node, ToolCall) or (tool := context.tools.get(node.tool)) is None or tool.returns is None:
            continue
        if len(node.output_keys) > 1:
            for position, key in enumerate(node.output_keys):
                if lacks(tool.returns.schema, (key,)):
                    yield _unknown_field(context, node, tool.returns, key, node.at("output_keys", position))
        for key, path in node.output_mapping.items():
            steps = _result_path(path)
            if steps and lacks(tool.returns.schema, steps):
                yield _unknown_field(
                    context, node, tool.returns, ".".join(map(str, steps)), node.at("output_mapping", key)
                )


def _unknown_field(
    context: CheckContext, node: ToolCall, returns: CompiledSchema, field: str, span: Span
) -> Diagnostic:
    known = ", ".join(returns.properties)
    return codes.UNKNOWN_RESULT_FIELD.at(
        span,
        f'node "{node.id}" takes "{field}" out of the result of "{node.tool}", which has no such field',
        help=context.suggester.help(field, returns.properties, f"use one of: {known}" if known else "drop it"),
    )


def _result_path(path: Any) -> tuple[str | int, ...]:
    """The steps of a result path such as ``$.flights[0].price``; empty where it is no plain path."""
    if not isinstance(path, str) or is_template(path):
        return ()
    plain = path.strip().removeprefix("$").removeprefix(".").removeprefix("result.").replace("[", ".").replace("]", "")
    steps = [step.strip("\"'") for step in plain.split(".") if step]
    if not all(step.replace("_", "").replace("-", "").isalnum() for step in steps):
        return ()
    return tuple(int(step) if step.isascii() and step.isdigit() else step for step in steps)
