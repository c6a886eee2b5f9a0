"""Documents for the tests of the checks, and findings in a form that reads well in a table."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any, NamedTuple

from agentic_dsl.ast import Document
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse


class Found(NamedTuple):
    """A finding: its code, what it underlines, its message, its help, its severity."""

    code: str
    text: str
    message: str
    help: str | None
    severity: str


def block(path: str, body: str) -> str:
    """A block with any body."""
    return f"### AgenticDSL `{path}`\n```yaml\n{dedent(body).strip()}\n```\n\n"


def subgraph(nodes: str, path: str = "/main/p", keys: str = "") -> str:
    """A subgraph block: its nodes as YAML list items, and further keys of the block."""
    listed = indent(dedent(nodes).strip("\n"), "  ")
    return block(path, f"graph_type: subgraph\n{dedent(keys).strip()}\nnodes:\n{listed}")


def application(nodes: str, meta: str = "", resources: str | None = None) -> str:
    """An application of one subgraph."""
    text = block("/__meta__", f'version: "3.10"\nentry_point: /main/p\n{dedent(meta).strip()}')
    if resources is not None:
        listed = indent(dedent(resources).strip("\n"), "  ")
        text += block("/__meta__/resources", f"type: resource_declare\nresources:\n{listed}")
    return text + subgraph(nodes)


def findings(document: str | Document, **options: Any) -> list[Found]:
    """Everything that `check` finds."""
    parsed = parse(document) if isinstance(document, str) else document
    return [
        Found(d.code, parsed.source.text[d.span.start : d.span.end], d.message, d.help, d.severity.value)
        for d in check(parsed, **options)
    ]


def codes_of(document: str | Document, **options: Any) -> list[str]:
    """The codes of the findings, in order of place."""
    return [found.code for found in findings(document, **options)]


def errors_of(document: str | Document, **options: Any) -> list[str]:
    """The codes of the errors."""
    return [found.code for found in findings(document, **options) if found.severity == "error"]


def only(document: str | Document, **options: Any) -> Found:
    """The one finding that there is."""
    found = findings(document, **options)
    assert len(found) == 1, found
    return found[0]
