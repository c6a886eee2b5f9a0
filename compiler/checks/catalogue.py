"""The tools that a document may call, with the schemas of their arguments and results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentic_dsl.ast import Document
from agentic_dsl.compiler.checks.schemas import CompiledSchema, compile_schema
from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import ToolCall
from agentic_dsl.span import NOWHERE, Span


@dataclass(frozen=True)
class KnownTool:
    """What is declared of one tool.

    Attributes:
        parameters: of the arguments, None where nothing is declared.
        returns: of the result, None where nothing is declared.
        span: where it is declared in the document, `NOWHERE` for a tool of the constraints.
    """

    name: str
    parameters: CompiledSchema | None
    returns: CompiledSchema | None
    span: Span = NOWHERE


def known_tools(document: Document, constraints: Constraints | None) -> Mapping[str, KnownTool]:
    """The tools that the constraints, else the document's resources, declare; only those that the document calls."""
    known: dict[str, KnownTool] = {}
    wanted = {node.tool for block in document.subgraphs for node in block.nodes if isinstance(node, ToolCall)}
    resources = document.resources
    for entry in resources.entries if resources is not None else ():
        if entry.type == "tool" and entry.name in wanted and entry.name not in known:
            returns = _schema(entry.options.get("returns")) if entry.options.get("returns") else None
            known[entry.name] = KnownTool(entry.name, _schema(entry.options.get("parameters")), returns, entry.span)
    for tool in (constraints.tools or ()) if constraints is not None else ():
        if tool.name in wanted:
            returns = compile_schema(tool.returns) if tool.returns else None
            known[tool.name] = KnownTool(tool.name, compile_schema(tool.parameters), returns)
    return known


def _schema(value: Any) -> CompiledSchema | None:
    return compile_schema(value) if isinstance(value, Mapping) else None


def lacks(schema: Any, steps: tuple[str | int, ...]) -> bool:
    """Whether a value of a schema surely has nothing at ``steps``."""
    for step in steps:
        if not isinstance(schema, Mapping):
            return False
        if isinstance(step, int):
            schema = schema.get("items")
            continue
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or schema.get("additionalProperties") or "patternProperties" in schema:
            return False
        if step not in properties:
            return not any(key in schema for key in ("$ref", "anyOf", "oneOf", "allOf", "if"))
        schema = properties[step]
    return False


def result_schema(tool: KnownTool, node: ToolCall, key: str) -> Any:
    """The schema of what a tool call writes to ``key``, None where nothing is known."""
    if tool.returns is None:
        return None
    if key in node.output_mapping:
        return None  # a path may lead through lists; only the whole result and its fields are followed
    if node.output_keys == (key,):
        return tool.returns.schema
    return tool.returns.properties.get(key)
