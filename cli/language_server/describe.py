"""Markdown about the parts of the language: node types, fields, library entries, tools, nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentic_dsl.ast import Document
from agentic_dsl.compiler.library import LibraryEntry
from agentic_dsl.compiler.resolution import Callee, Place
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.format import format_signature
from agentic_dsl.node_table import FieldKind, FieldSpec, NodeSpec
from agentic_dsl.span import NOWHERE, Span

MAX_PROSE = 2_000
"""Characters of a description that are shown."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is known, from the document or from the tools file.

    Attributes:
        span: where the document declares it, `NOWHERE` for one of the tools file.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    span: Span = NOWHERE


def tools_of(document: Document, configured: tuple[ToolSpec, ...]) -> dict[str, Tool]:
    """The tools by name; what the document declares goes before the tools file."""
    found = {tool.name: Tool(tool.name, tool.description, tool.parameters) for tool in configured}
    for entry in document.resources.entries if document.resources is not None else ():
        if entry.type == "tool" and entry.name is not None:
            parameters = entry.options.get("parameters")
            known = parameters if isinstance(parameters, Mapping) else {}
            description = entry.options.get("description")
            found[entry.name] = Tool(entry.name, str(description or ""), known, entry.span)
    return found


def node_type(spec: NodeSpec) -> str:
    """A row of the node table."""
    lines = [f"**{spec.type}** — {spec.doc}", ""]
    lines += (f"- `{'.'.join(f.path)}`{' (required)' if f.required else ''}: {f.doc}" for f in _own(spec))
    return "\n".join(lines).rstrip()


def _own(spec: NodeSpec) -> Iterator[FieldSpec]:
    """The fields that say something about this type: those that generated text has, and those that are required."""
    return (field for field in spec.fields if field.required or field.generated.value != "never")


def field(spec: FieldSpec, owner: str) -> str:
    """A cell of the table."""
    notes = [f"field of `{owner}`", *(["required"] if spec.required else []), _holds(spec)]
    text = f"**{'.'.join(spec.path)}** — {spec.doc}\n\n{', '.join(notes)}"
    if spec.alternative is not None:
        text += f"\n\n`{spec.alternative}` may stand instead"
    return text


def _holds(spec: FieldSpec) -> str:
    match spec.kind:
        case FieldKind.CHOICE:
            words = ", ".join(f"`{word}`{' (default)' if word == spec.default else ''}" for word in spec.choices)
            return f"one of {words}"
        case FieldKind.PARAMETERS:
            return ", ".join(f"`{name}`: {kind}" for name, kind in spec.parameters.items())
        case _:
            return str(spec.kind.value) + (", may hold templates" if spec.template else "")


def callee(call: Callee) -> str:
    """A library entry as its callers see it."""
    signature = "signature unknown" if call.signature is None else format_signature(call.signature)
    text = f"**{call.path}** — version {call.version}"
    entry = call.entry
    if entry is not None:
        text += f", {entry.stability.value}"
    text += f"\n\n```\n{signature}\n```"
    for parameter in (*call.signature.inputs, *call.signature.outputs) if call.signature is not None else ():
        if parameter.description:
            text += f"\n- `{parameter.name}`: {parameter.description}"
    return text + (_about(entry) if entry is not None else "")


def _about(entry: LibraryEntry) -> str:
    prose = shortened(entry.block.prose)
    where = f"\n\n{entry.document.source.path}" if entry.document.source.path else ""
    return (f"\n\n{prose}" if prose else "") + where


def tool(known: Tool) -> str:
    """A tool with its arguments."""
    text = f"**{known.name}** — tool"
    if known.description:
        text += f"\n\n{shortened(known.description)}"
    properties = known.parameters.get("properties")
    required = known.parameters.get("required")
    for name, schema in properties.items() if isinstance(properties, Mapping) else ():
        must = " (required)" if isinstance(required, list | tuple) and name in required else ""
        text += f"\n- `{name}`{must}{_schema(schema)}"
    return text


def _schema(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return ""
    kind, choices, says = schema.get("type"), schema.get("enum"), schema.get("description")
    text = f": {kind}" if isinstance(kind, str) else ""
    if isinstance(choices, list | tuple):
        text += f", one of {', '.join(json.dumps(choice, ensure_ascii=False, default=str) for choice in choices)}"
    return text + (f" — {says}" if isinstance(says, str) else "")


def place(found: Place) -> str:
    """A node that something refers to."""
    node = found.node
    text = f"**{node.id}** — `{node.type}` of `{found.subgraph.path}`"
    if node.type:
        text += f"\n\n{node.spec.doc}"
    if node.writes:
        text += f"\n\nwrites {', '.join(f'`{name}`' for name in node.writes)}"
    return text


def shortened(text: str) -> str:
    """A description, cut where it is very long."""
    return text if len(text) <= MAX_PROSE else f"{text[:MAX_PROSE]} …"
