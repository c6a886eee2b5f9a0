"""What is drawn: boxes and lines, taken from a subgraph."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.ast import Subgraph
from agentic_dsl.cli.findings import cells, printable
from agentic_dsl.compiler.edges import BRANCHES, NEXT, EdgeKind, Link
from agentic_dsl.compiler.graph import Graph, build_graph
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.node_table import AnyNode, FieldKind, Fork
from agentic_dsl.paths import SYSTEM_TARGETS, Reference


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        key: what lines call it.
        title: its first line.
        lines: further lines, most important first.
        rounded: drawn with round corners: an end that is no node of the subgraph.
    """

    key: str
    title: str
    lines: tuple[str, ...] = ()
    rounded: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line from a box down to another; dashed where it is only taken on failure."""

    source: str
    target: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes in source order and the lines between them."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    def forward(self) -> tuple[tuple[str, ...], tuple[Line, ...]]:
        """A topological order (stable by source order) and the lines that go along it.

        A picture of a wrong document may have circles; the lines that close them are left out.
        """
        waiting = {box.key: {line.source for line in self.lines if line.target == box.key} for box in self.boxes}
        order: list[str] = []
        while waiting:
            key = next((key for key, sources in waiting.items() if not sources - set(order)), next(iter(waiting)))
            order.append(key)
            del waiting[key]
        place = {key: index for index, key in enumerate(order)}
        return tuple(order), tuple(line for line in self.lines if place[line.source] < place[line.target])


def picture_of(subgraph: Subgraph, *, growing: bool = False) -> Picture:
    """The picture of a subgraph: a box a node, and one for each place outside that its lines lead to.

    In a growing one, nodes that are named and not there are still to come.
    """
    graph = build_graph(subgraph)
    lines = dict.fromkeys(Line(str(e.source), str(e.target), e.kind is EdgeKind.JUMP) for e in graph.edges)
    calls: dict[int, list[str]] = {}
    outside: dict[str, Box] = {}
    for link in graph.links:
        if not _leads_outside(graph, link):
            continue
        if link.reference.path is not None and link.reference.path.is_library:
            calls.setdefault(link.source, []).append(f"calls {short(link.reference)}")
            continue
        outside.setdefault(link.reference.text, _outside_box(subgraph, link, "…" if growing else "no such node"))
        jump = graph.places[link.source].node.spec.field(link.field).jump
        lines[Line(str(link.source), link.reference.text, jump)] = None
    boxes = [
        Box(str(place.number), printable(place.node.id), (*_details(place.node), *calls.get(place.number, ())))
        for place in graph.places
    ]
    return Picture((*boxes, *outside.values()), tuple(lines))


def _leads_outside(graph: Graph, link: Link) -> bool:
    """Whether a reference is a way out of a node to something that is no node."""
    node = graph.places[link.source].node
    if link.target.kind is TargetKind.NODE or node.spec.is_end:
        return False
    if link.field == NEXT:
        return not isinstance(node, Fork)  # there it only names the join
    return link.field == BRANCHES or node.spec.field(link.field).jump


def _outside_box(subgraph: Subgraph, link: Link, note: str) -> Box:
    """The box of a place that is no node; has a note where the place would be one of this subgraph."""
    path = link.reference.path
    missing = link.target.kind is TargetKind.MISSING and (path is None or path.parent == subgraph.path)
    notes = (note,) if missing else ()
    return Box(link.reference.text, short(link.reference), notes, rounded=True)


def _details(node: AnyNode) -> list[str]:
    """The type with what it calls (not twice where the id says it), and the context keys that the node writes."""
    named = [
        str(value)
        for field in node.spec.fields
        if field.kind is FieldKind.NAME and (value := getattr(node, field.name, None))
    ]
    details = [] if node.id == node.type and not named else [printable(" ".join([node.type, *named]))]
    if node.writes:
        details.append("→ " + printable(", ".join(node.writes)))
    return details


def short(reference: Reference) -> str:
    """A place outside the subgraph as people call it: system targets by their last word, others as written."""
    if reference.text in SYSTEM_TARGETS:
        return reference.text.rsplit("/", 1)[-1]
    return printable(reference.text.partition("?")[0])


def fit(text: str, width: int) -> str:
    """The text, cut to a number of cells."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[:-1]
    return text + "…"
