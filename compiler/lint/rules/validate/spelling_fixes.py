"""Fixes of deprecated spellings: old names of node types."""

from __future__ import annotations

import json

from agentic_dsl.ast import Document
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import DEPRECATED_TYPES, AnyNode
from agentic_dsl.span import Span


def mend_spelling(context: LintContext, finding: Diagnostic) -> Fix | None:
    """Writes the new name of a type, and the fields that the old one implied; a ``dev_comment`` needs a person."""
    node = _node_at(context.document, finding.span)
    if node is None or node.spelling is None or node.spelling not in DEPRECATED_TYPES:
        return None
    new, implied = DEPRECATED_TYPES[node.spelling]
    key = node.spans.keys.get(("type",))
    text = context.text
    if key is None or text[: key.start].rstrip().endswith("?"):
        return None  # no line can be written before the key of a "? key"
    if text[finding.span.start : finding.span.end].strip("\"'") != node.spelling:
        return None  # a text of several lines, whose end is not that of its last word
    missing = [(name, value) for name, value in implied.items() if (name,) not in node.spans.keys]
    lines = [f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in missing]
    edits = []
    if lines:
        # Before the type, so that a comment behind it stays where it is.
        column = key.start - (text.rfind("\n", 0, key.start) + 1)
        flow = text[node.span.start : node.span.start + 1] == "{"
        newline = "\r\n" if "\r\n" in text else "\n"
        joint = ", " if flow else newline + " " * column
        edits.append(Edit(Span(key.start, key.start), "".join(line + joint for line in lines)))
    edits.append(Edit(finding.span, new))
    return Fix(f"write type: {new}", tuple(edits))


def _node_at(document: Document, span: Span) -> AnyNode | None:
    for block in document.subgraphs:
        for node in block.nodes:
            if node.spans.values.get(("type",)) == span:
                return node
    return None
