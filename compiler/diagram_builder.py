"""Graph and findings → `Diagram`: calls become items, ways out get ends, the longest way is marked."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from agentic_dsl.compiler.critical_path import critical_ways, ranks
from agentic_dsl.compiler.diagram import Block, Diagram, Item, ItemKind, Way, WayKind
from agentic_dsl.compiler.edges import BRANCHES, NEXT, Edge, EdgeKind, Exit, Link
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.diagnostics import Diagnostic, DiagnosticRecord
from agentic_dsl.format import format_signature
from agentic_dsl.json_view import Json, node_view
from agentic_dsl.node_table import FieldKind, Fork
from agentic_dsl.span import Span

_SHARED = 4
"""Ways that one end takes; where more lead to it, each gets its own, so that lines stay short."""

_UNRESOLVED = (TargetKind.MISSING, TargetKind.NO_VERSION)


def build_diagram(graph: Graph, findings: Sequence[Diagnostic] = (), *, path: str | None = None) -> Diagram:
    """The diagram of a graph.

    Args:
        graph: the graph of a document.
        findings: what `check` found in the same document.
        path: draw only the subgraphs of this path; None draws all.
    """
    return _Builder(graph, findings, path).build()


class _Stub(NamedTuple):
    """What a way leads to that is no node; equal ones may be drawn as one."""

    kind: ItemKind
    text: str
    block: int


class _Arrow(NamedTuple):
    """A way whose target may still be a stub."""

    source: str
    target: str | _Stub
    kind: WayKind
    label: str = ""


class _Builder:
    """Collects the items and arrows of one diagram; used once."""

    def __init__(self, graph: Graph, findings: Sequence[Diagnostic], path: str | None) -> None:
        self.graph = graph
        blocks = graph.resolver.blocks
        self.chosen = [i for i, block in enumerate(blocks) if path is None or str(block.path) == path]
        self.number = {block: number for number, block in enumerate(self.chosen)}
        self.items: list[Item] = []
        self.arrows: list[_Arrow] = []
        self.placed = _Placed(graph, findings)

    def build(self) -> Diagram:
        graph = self.graph
        for place in graph.places:
            if place.block in self.number:
                self._add_node(place)
        ways = self._ways()
        document = graph.resolver.document
        blocks = tuple(
            Block(
                str(block.path),
                "" if block.signature is None else format_signature(block.signature),
                block.single,
                self.placed.of_block(index),
            )
            for index, block in enumerate(graph.resolver.blocks)
            if index in self.number
        )
        items, marked = self._marked(ways)
        return Diagram(document.source.path or "document", blocks, items, marked, self.placed.of_document())

    def _add_node(self, place: Place) -> None:
        node = place.node
        block = self.number[place.block]
        source = self.graph.resolver.document.source
        self.items.append(
            Item(
                key=f"n{place.number}",
                kind=ItemKind.NODE,
                name=node.id,
                block=block,
                type=node.type,
                uses=tuple(
                    str(value)
                    for field in node.spec.fields
                    if field.kind is FieldKind.NAME and (value := getattr(node, field.name, None))
                ),
                writes=node.writes,
                line=source.position(node.span.start).line if source.text else None,
                fields=node_view(node),
                findings=self.placed.of_node(place.number),
            )
        )
        if node.spec.has_edges and not node.spec.is_end:
            self._add_ways(place, block)

    def _add_ways(self, place: Place, block: int) -> None:
        """The calls of a node, one after the other, and everything that leads on from it."""
        graph, number = self.graph, place.number
        key = tail = f"n{number}"
        flow = [link for link in graph.links_of[number] if _is_flow(link, place)]
        for position, link in enumerate(filter(_is_call, flow), start=1):
            item = _call_item(f"c{number}_{position}", link, block)
            self.items.append(item)
            self.arrows.append(_Arrow(tail, item.key, WayKind.CALL))
            tail = item.key
        before = len(self.arrows)
        for edge in graph.outgoing[number]:
            self._add_edge(edge, key, tail, block)
        for exit_ in graph.exits_of[number]:
            if exit_.target.kind in (TargetKind.SYSTEM, TargetKind.OUTSIDE):
                self._add_exit(exit_, key, tail, block)
        for link in flow:
            if not link.target.is_known and not _is_call(link):
                self.arrows.append(_Arrow(tail, _Stub(ItemKind.OPEN, link.reference.text, block), WayKind.FLOW))
        if tail != key and not any(arrow.source == tail for arrow in self.arrows[before:]):
            self.arrows.append(_Arrow(tail, _Stub(ItemKind.END, "end", block), WayKind.FLOW))
        for link in graph.links_of[number]:
            jump = place.node.spec.field(link.field).jump
            if jump and link.target.kind not in (TargetKind.NODE, TargetKind.SYSTEM, TargetKind.OUTSIDE):
                stub = _Stub(ItemKind.OPEN, link.reference.text, block)
                self.arrows.append(_Arrow(key, stub, WayKind.JUMP, link.field))

    def _add_edge(self, edge: Edge, key: str, tail: str, block: int) -> None:
        target = self.graph.places[edge.target]
        drawn: str | _Stub = f"n{edge.target}"
        if target.block not in self.number:
            drawn = _Stub(ItemKind.OUTSIDE, target.path, block)
        if edge.kind is EdgeKind.JUMP:
            self.arrows.append(_Arrow(key, drawn, WayKind.JUMP, str(edge.path[0])))
        else:
            self.arrows.append(_Arrow(key if edge.restated else tail, drawn, WayKind.FLOW))

    def _add_exit(self, exit_: Exit, key: str, tail: str, block: int) -> None:
        kind = ItemKind.END if exit_.target.kind is TargetKind.SYSTEM else ItemKind.OUTSIDE
        stub = _Stub(kind, exit_.reference.text, block)
        if exit_.kind is EdgeKind.JUMP:
            self.arrows.append(_Arrow(key, stub, WayKind.JUMP, str(exit_.path[0])))
        else:
            self.arrows.append(_Arrow(tail, stub, WayKind.FLOW))

    def _ways(self) -> list[Way]:
        """The arrows as ways, with an item for each stub, or for each way to a stub that many ways lead to."""
        demand = Counter(arrow.target for arrow in self.arrows if isinstance(arrow.target, _Stub))
        shared: dict[_Stub, str] = {}
        ways: dict[Way, None] = {}
        for arrow in self.arrows:
            target = arrow.target
            if isinstance(target, _Stub):
                stub = target
                target = shared.get(stub) or self._add_stub(stub)
                if demand[stub] <= _SHARED:
                    shared[stub] = target
            ways[Way(arrow.source, target, arrow.kind, arrow.label)] = None
        return list(ways)

    def _add_stub(self, stub: _Stub) -> str:
        key = f"x{len(self.items)}"
        self.items.append(Item(key, stub.kind, stub.text, stub.block))
        return key

    def _marked(self, ways: list[Way]) -> tuple[tuple[Item, ...], tuple[Way, ...]]:
        """Items and ways, with what closes circles and what is on the longest way marked."""
        rank = ranks([item.key for item in self.items], [(way.source, way.target) for way in ways])
        ways = [replace(way, closing=rank[way.source] >= rank[way.target]) for way in ways]
        reached = {f"n{number}" for number in self.graph.reachable}
        parts = {item.key: self.graph.group[self.chosen[item.block]] for item in self.items}
        longest = critical_ways(parts, ways, reached)
        critical = {key for pair in longest for key in pair}
        items = tuple(replace(item, critical=item.key in critical) for item in self.items)
        return items, tuple(
            replace(way, critical=way.kind is not WayKind.JUMP and (way.source, way.target) in longest) for way in ways
        )


class _Placed:
    """Findings by the node or block that they stand in."""

    def __init__(self, graph: Graph, findings: Sequence[Diagnostic]) -> None:
        self.source = graph.resolver.document.source
        nodes = sorted((p.node.span.start, p.node.span.end, p.number) for p in graph.places)
        blocks = sorted((b.span.start, b.span.end, number) for number, b in enumerate(graph.resolver.blocks))
        self.nodes: dict[int, list[Diagnostic]] = {}
        self.blocks: dict[int, list[Diagnostic]] = {}
        self.rest: list[Diagnostic] = []
        for finding in findings:
            if (node := _at(nodes, finding.span)) is not None:
                self.nodes.setdefault(node, []).append(finding)
            elif (block := _at(blocks, finding.span)) is not None:
                self.blocks.setdefault(block, []).append(finding)
            else:
                self.rest.append(finding)

    def of_node(self, number: int) -> tuple[DiagnosticRecord, ...]:
        return self._records(self.nodes.get(number, ()))

    def of_block(self, number: int) -> tuple[DiagnosticRecord, ...]:
        return self._records(self.blocks.get(number, ()))

    def of_document(self) -> tuple[DiagnosticRecord, ...]:
        return self._records(self.rest)

    def _records(self, findings: Sequence[Diagnostic]) -> tuple[DiagnosticRecord, ...]:
        return tuple(finding.record(self.source) for finding in findings)


def _at(spans: list[tuple[int, int, int]], span: Span) -> int | None:
    """The number of the range that a place lies in; ranges do not overlap."""
    index = bisect_right(spans, span.start, key=lambda found: found[0]) - 1
    if index < 0:
        return None
    start, end, number = spans[index]
    return number if start <= span.start < end else None


def _is_flow(link: Link, place: Place) -> bool:
    return link.field == BRANCHES or (link.field == NEXT and not isinstance(place.node, Fork))


def _is_call(link: Link) -> bool:
    """Whether a reference calls a library, be it one that is known or one that is not there."""
    path = link.reference.path
    return link.target.kind is TargetKind.CALL or (
        link.target.kind in _UNRESOLVED and path is not None and path.is_library
    )


def _call_item(key: str, link: Link, block: int) -> Item:
    fields: Json = {"reference": link.reference.text}
    callee = link.target.call
    if callee is not None:
        fields["version"] = str(callee.version)
        if callee.signature is not None:
            fields["signature"] = format_signature(callee.signature)
    return Item(key, ItemKind.CALL, link.reference.text, block, fields=fields)
