"""Diagrams in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.cli.drawing import labels
from agentic_dsl.cli.drawing.palette import CRITICAL, FAILURE, paint_of
from agentic_dsl.compiler.diagram import Diagram, Item, ItemKind, Way, WayKind

_STYLES = {ItemKind.NODE: "filled", ItemKind.CALL: "filled,dashed", ItemKind.OPEN: "filled,rounded,dotted"}
_LINES = {WayKind.FLOW: "solid", WayKind.CALL: "dashed", WayKind.JUMP: "dotted"}


def draw_dot(diagram: Diagram) -> str:
    """The diagram as one ``digraph``; a subgraph is a cluster."""
    return "\n".join(_lines(diagram)) + "\n"


def _lines(diagram: Diagram) -> Iterator[str]:
    yield "digraph {"
    yield f"  label={_quoted(labels.heading(diagram))}; rankdir=TB; compound=true;"
    yield '  node [shape=box, style=filled, fontname="monospace", fontsize=11];'
    yield '  edge [fontname="monospace", fontsize=10];'
    for number, block in enumerate(diagram.blocks):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(*labels.block_lines(block))};"
        for item in diagram.items:
            if item.block == number:
                yield "    " + _item(item)
        yield "  }"
    for way in diagram.ways:
        yield "  " + _way(way)
    yield "}"


def _item(item: Item) -> str:
    paint = paint_of(item)
    attributes = [
        f"label={_quoted(labels.title(item), *labels.lines(item))}",
        f"tooltip={_quoted(labels.summary(item))}",
        f'style="{_STYLES.get(item.kind, "filled,rounded")}"',
        f'fillcolor="{paint.fill}"',
        f'color="{CRITICAL if item.critical else paint.line}"',
    ]
    if item.critical:
        attributes.append("penwidth=2.5")
    return f'"{item.key}" [{", ".join(attributes)}];'


def _way(way: Way) -> str:
    attributes = [f"style={_LINES[way.kind]}"]
    if way.label:
        attributes.append(f"label={_quoted(way.label)}")
    if way.critical:
        attributes += [f'color="{CRITICAL}"', "penwidth=2.5"]
    elif way.kind is WayKind.JUMP:
        attributes.append(f'color="{FAILURE}"')
    if way.closing:
        attributes.append("constraint=false")
    return f'"{way.source}" -> "{way.target}" [{", ".join(attributes)}];'


def _quoted(*lines: str) -> str:
    r"""A quoted string of left-aligned lines.

    Graphviz reads ``\N`` and the like in labels, and entities of HTML; neither may come from a document.
    """
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
