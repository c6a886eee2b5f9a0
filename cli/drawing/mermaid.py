"""Diagrams in Mermaid, which Git hosts and editors show in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.cli.drawing import labels
from agentic_dsl.cli.drawing.palette import CRITICAL, FAILURE, PAINTS, paint_of
from agentic_dsl.compiler.diagram import Diagram, Item, ItemKind, Way, WayKind

MAX_CHARACTERS, MAX_EDGES = 50_000, 500
"""What Mermaid shows unless its configuration says otherwise (``maxTextSize``, ``maxEdges``)."""

_SHAPES = {ItemKind.NODE: ("[", "]"), ItemKind.CALL: ("[[", "]]")}
_ARROWS = {WayKind.FLOW: "-->", WayKind.CALL: "-.->", WayKind.JUMP: "-.->"}

_PLAIN = frozenset("_/, →✖▲●")
"""Characters beside letters and digits that mean nothing to Mermaid; all others are written as entities."""


def draw_mermaid(diagram: Diagram) -> str:
    """The diagram as one ``flowchart``; a subgraph is a subgraph."""
    return "\n".join(_lines(diagram)) + "\n"


def _lines(diagram: Diagram) -> Iterator[str]:
    yield "flowchart TB"
    for number, block in enumerate(diagram.blocks):
        yield f"  subgraph b{number} [{_quoted(*labels.block_lines(block))}]"
        for item in diagram.items:
            if item.block == number:
                yield "    " + _item(item)
        yield "  end"
    for way in diagram.ways:
        yield "  " + _way(way)
    used = {paint_of(item).name for item in diagram.items}
    for paint in PAINTS:
        if paint.name in used:
            yield f"  classDef t_{paint.name} fill:{paint.fill},stroke:{paint.line},color:#1b1f24"
    yield from _marked(diagram)


def _item(item: Item) -> str:
    opening, closing = _SHAPES.get(item.kind, ("([", "])"))
    text = _quoted(labels.title(item), *labels.lines(item))
    return f"{item.key}{opening}{text}{closing}:::t_{paint_of(item).name}"


def _way(way: Way) -> str:
    label = f"|{_quoted(way.label)}|" if way.label else ""
    return f"{way.source} {_ARROWS[way.kind]}{label} {way.target}"


def _marked(diagram: Diagram) -> Iterator[str]:
    """Styles of single items and lines."""
    calls = [item.key for item in diagram.items if item.kind is ItemKind.CALL]
    if calls:
        yield "  classDef library stroke-dasharray:6 4"  # `call` is a word of Mermaid's
        yield f"  class {','.join(calls)} library"
    critical = [item.key for item in diagram.items if item.critical]
    if critical:
        yield f"  classDef critical stroke:{CRITICAL},stroke-width:3px"
        yield f"  class {','.join(critical)} critical"
    jumps = [str(number) for number, way in enumerate(diagram.ways) if way.kind is WayKind.JUMP]
    if jumps:
        yield f"  linkStyle {','.join(jumps)} stroke:{FAILURE},stroke-dasharray:2 4"
    taken = [str(number) for number, way in enumerate(diagram.ways) if way.critical]
    if taken:
        yield f"  linkStyle {','.join(taken)} stroke:{CRITICAL},stroke-width:3px"


def _quoted(*lines: str) -> str:
    """A quoted label; whatever could be syntax, a directive or markup becomes an entity."""
    return '"' + "<br/>".join("".join(map(_escaped, line)) for line in lines) + '"'


def _escaped(character: str) -> str:
    return character if character.isalnum() or character in _PLAIN else f"#{ord(character)};"
