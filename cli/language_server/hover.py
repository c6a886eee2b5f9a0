"""Hover: what the thing under the cursor is."""

from __future__ import annotations

from lsprotocol import types

from agentic_dsl.cli.language_server import describe
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor
from agentic_dsl.cli.language_server.names import origins
from agentic_dsl.cli.language_server.targets import Referent, referent_at
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.node_table import DEPRECATED_TYPES, NODE_TABLE
from agentic_dsl.paths import SYSTEM_TARGETS
from agentic_dsl.span import Span


def hover(cursor: Cursor, analysis: Analysis, tools: tuple[ToolSpec, ...]) -> types.Hover | None:
    """What is shown at a cursor, None where there is nothing to say.

    Args:
        cursor: in the text as it is.
        analysis: the same document, readable.
        tools: of the tools file.
    """
    name = cursor.template
    if cursor.is_value and name is not None:
        text, span = _name(cursor, analysis, name), name
    else:
        text, span = _written(cursor, analysis, tools), cursor.slot.token
    if not text:
        return None
    content = types.MarkupContent(types.MarkupKind.Markdown, text)
    return types.Hover(content, cursor.analysis.positions.range(span))


def _name(cursor: Cursor, analysis: Analysis, span: Span) -> str | None:
    """A name in a template, and where it was written."""
    name, place = cursor.analysis.text[span.start : span.end], cursor.place(analysis.check)
    if not name or place is None:
        return None
    found = [f"- {origin.text}" for origin in origins(analysis, place, name)]
    if not found:
        return None
    availability = analysis.check.availability
    sure = availability.names.has(availability.at[place.number], name)
    note = "" if sure else "\n\nnot on every way to this node"
    return "\n".join((f"**{name}**", "", *found)) + note


def _written(cursor: Cursor, analysis: Analysis, tools: tuple[ToolSpec, ...]) -> str | None:
    """A key, or a value that names something."""
    if cursor.keys == ("type",) and cursor.is_node:
        return _type(cursor)
    field = cursor.field
    if field is None or not cursor.slot.text:
        return None
    if (found := referent_at(cursor, analysis)) is not None:
        return _referent(found)
    if cursor.is_value and field.path == ("tool",) and cursor.is_node:
        known = describe.tools_of(analysis.document, tools).get(cursor.slot.text)
        return None if known is None else describe.tool(known)
    owner = (cursor.written("type") or "node") if cursor.is_node else cursor.path
    return describe.field(field, owner) if cursor.slot.is_key and not cursor.is_value else None


def _type(cursor: Cursor) -> str | None:
    spec, written = cursor.spec, cursor.written("type") or ""
    if spec is None:
        return f"the type of the node, one of {', '.join(f'`{name}`' for name in NODE_TABLE)}"
    old = f"`{written}` is the old name of this type\n\n" if written in DEPRECATED_TYPES else ""
    return old + describe.node_type(spec)


def _referent(found: Referent) -> str | None:
    if found.callee is not None:
        return describe.callee(found.callee)
    if found.system is not None:
        return f"**{found.system}** — a {SYSTEM_TARGETS[found.system].value} end that always exists"
    if found.node is not None:
        return describe.place(found.node)
    return None
