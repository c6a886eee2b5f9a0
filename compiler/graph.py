"""The graph of a document: typed edges between nodes, ways out, and an order (``language.md`` §5).

One graph spans all subgraphs of a document, because a reference may lead from one block into another. For a
document of one block it is simply that block's graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from typing import TypeVar

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.cycles import circles
from agentic_dsl.compiler.edges import (
    BRANCHES,
    NEXT,
    SOURCES,
    WAIT_FOR,
    Call,
    Edge,
    EdgeKind,
    Exit,
    Link,
    references_of,
)
from agentic_dsl.compiler.resolution import Place, Resolver, TargetKind
from agentic_dsl.node_table import FieldSpec, Fork, Join
from agentic_dsl.paths import Reference, ReferenceKind
from agentic_dsl.span import SpanPath

_T = TypeVar("_T")


@dataclass(frozen=True)
class Graph:
    """What `build_graph` gives. Nodes are numbered as `Resolver.places` numbers them.

    Attributes:
        links: every reference of every node, in source order.
        edges: in source order; at most one flow and one jump edge for each pair and handler.
        exits: ways out.
        loose: nodes with a reference that leads nowhere known, so that some edge of theirs is missing here.
        unsure: those of them whose handler is such a reference, so that it is open what their success means.
    """

    resolver: Resolver
    links: tuple[Link, ...]
    edges: tuple[Edge, ...]
    exits: tuple[Exit, ...]
    loose: frozenset[int]
    unsure: frozenset[int]

    @property
    def places(self) -> tuple[Place, ...]:
        """The nodes."""
        return self.resolver.places

    @property
    def ways(self) -> tuple[Edge | Exit, ...]:
        """Everything that leads on from some node."""
        return (*self.edges, *self.exits)

    @cached_property
    def links_of(self) -> tuple[tuple[Link, ...], ...]:
        """For each node its references."""
        return _grouped(len(self.places), self.links, lambda link: link.source)

    @cached_property
    def incoming(self) -> tuple[tuple[Edge, ...], ...]:
        """For each node the edges into it."""
        return _grouped(len(self.places), self.edges, lambda edge: edge.target)

    @cached_property
    def outgoing(self) -> tuple[tuple[Edge, ...], ...]:
        """For each node the edges out of it."""
        return _grouped(len(self.places), self.edges, lambda edge: edge.source)

    @cached_property
    def exits_of(self) -> tuple[tuple[Exit, ...], ...]:
        """For each node its ways out."""
        return _grouped(len(self.places), self.exits, lambda exit_: exit_.source)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The nodes in topological order, the first in the source where several may be next: the canonical order.

        Source order that is topological is kept. The nodes of and after a cycle are left out.
        """
        waiting = [len(edges) for edges in self.incoming]
        ready = [index for index, count in enumerate(waiting) if count == 0]  # sorted, so it is a heap
        order: list[int] = []
        while ready:
            index = heappop(ready)
            order.append(index)
            for edge in self.outgoing[index]:
                waiting[edge.target] -= 1
                if waiting[edge.target] == 0:
                    heappush(ready, edge.target)
        return tuple(order)

    @cached_property
    def cycles(self) -> tuple[tuple[Edge, ...], ...]:
        """One shortest circle of edges for each group of nodes that reach each other."""
        if len(self.order) == len(self.places):
            return ()
        return circles(self.outgoing, set(range(len(self.places))) - set(self.order))

    @cached_property
    def crossing(self) -> tuple[Edge, ...]:
        """The edges that lead from one block into another."""
        if len(self.resolver.blocks) < 2:
            return ()
        return tuple(e for e in self.edges if self.places[e.source].block != self.places[e.target].block)

    @cached_property
    def entry_point(self) -> int | None:
        """The node that the application's entry point names."""
        meta = self.resolver.document.meta
        if meta is None or meta.entry_point is None or not self.resolver.blocks:
            return None
        if meta.entry_point.kind is not ReferenceKind.PATH:
            return None
        target = self.resolver.resolve(meta.entry_point, 0)
        return target.node if target.kind is TargetKind.NODE else None

    @cached_property
    def roots(self) -> frozenset[int]:
        """Where a run can begin: the entry of every block, and the application's entry point.

        A block without a contract of its own that is entered from other blocks begins no run by itself.
        """
        entered = {edge.target for edge in self.crossing}
        roots = {self.entry_point} if self.entry_point is not None else set()
        for block, entry in zip(self.resolver.blocks, self.resolver.entry_nodes, strict=True):
            if entry is not None and (entry not in entered or block.signature is not None or block.path.is_library):
                roots.add(entry)
        return frozenset(roots)

    @cached_property
    def reachable(self) -> frozenset[int]:
        """The nodes to which a path leads from the entry of their block, or from another block."""
        starts = {entry for entry in self.resolver.entry_nodes if entry is not None} | self.roots
        return self.reach(starts)

    def reach(self, starts: set[int]) -> frozenset[int]:
        """The nodes to which some path leads from ``starts``, these included."""
        seen = set(starts)
        stack = list(starts)
        while stack:
            for edge in self.outgoing[stack.pop()]:
                if edge.target not in seen:
                    seen.add(edge.target)
                    stack.append(edge.target)
        return frozenset(seen)

    @cached_property
    def group(self) -> tuple[int, ...]:
        """For each block the number of the first block that edges connect it with."""
        parent = list(range(len(self.resolver.blocks)))

        def find(block: int) -> int:
            while parent[block] != block:
                parent[block] = parent[parent[block]]
                block = parent[block]
            return block

        for edge in self.crossing:
            one, other = find(self.places[edge.source].block), find(self.places[edge.target].block)
            parent[max(one, other)] = min(one, other)
        return tuple(find(block) for block in range(len(parent)))


def build_graph(source: Subgraph | Document | Resolver) -> Graph:
    """The graph of a subgraph, a document, or a document with what it may refer to."""
    match source:
        case Subgraph():
            source = Resolver(Document(blocks=(source,)))
        case Document():
            source = Resolver(source)
        case Resolver():
            pass
    return _Builder(source).build()


def _grouped(count: int, items: tuple[_T, ...], key: Callable[[_T], int]) -> tuple[tuple[_T, ...], ...]:
    groups: list[list[_T]] = [[] for _ in range(count)]
    for item in items:
        groups[key(item)].append(item)
    return tuple(map(tuple, groups))


_FLOW_FIELDS = frozenset({NEXT, BRANCHES})
_WAITING_FIELDS = frozenset({SOURCES, WAIT_FOR})


class _Builder:
    """Collects the edges of one graph; used once."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.links: list[Link] = []
        self.edges: list[Edge] = []
        self.exits: list[Exit] = []
        self.loose: set[int] = set()
        self.unsure: set[int] = set()
        self.flowing: set[tuple[int, int]] = set()
        """Pairs of nodes that a flow edge connects."""
        self.leading: set[int] = set()
        """Nodes with a ``next`` or branches of their own."""
        self.entered: set[int] = set()
        """Nodes that a ``next`` or a branch names."""

    def build(self) -> Graph:
        waiting = [self._add_node(place) for place in self.resolver.places]
        for place, links in zip(self.resolver.places, waiting, strict=True):
            if links:
                self._add_waiting(place, links)
        return Graph(
            self.resolver,
            tuple(self.links),
            tuple(self.edges),
            tuple(self.exits),
            frozenset(self.loose),
            frozenset(self.unsure),
        )

    def _add_node(self, place: Place) -> list[Link]:
        """Adds the edges that a node's own references make; returns what it waits for."""
        node = place.node
        if not node.spec.has_edges:
            # A declaration stands outside the flow; `structure` reports references that it has all the same.
            self.links += (self._link(place, *found) for found in references_of(node))
            return []
        flow: list[Link] = []
        waiting: list[Link] = []
        for spec, path, reference in references_of(node):
            link = self._link(place, spec, path, reference)
            self.links.append(link)
            if link.field in _WAITING_FIELDS:
                waiting.append(link)
                continue
            if node.spec.is_end or (link.field == NEXT and isinstance(node, Fork)):
                continue  # an end has no way out; the next of a fork only names its join
            if not link.target.is_known:
                self.loose.add(place.number)
            if spec.jump:
                self._add_jump(link)
            elif link.field in _FLOW_FIELDS:
                flow.append(link)
        self._add_flow(place.number, flow)
        return waiting

    def _link(self, place: Place, spec: FieldSpec, path: SpanPath, reference: Reference) -> Link:
        return Link(place.number, spec.name, path, reference, self.resolver.resolve(reference, place.block))

    def _add_jump(self, link: Link) -> None:
        target = link.target
        if target.kind is TargetKind.NODE:
            self.edges.append(Edge(link.source, target.node, EdgeKind.JUMP, (), link.reference, link.path))
        elif target.kind in (TargetKind.SYSTEM, TargetKind.OUTSIDE):
            self.exits.append(Exit(link.source, EdgeKind.JUMP, (), link.reference, link.path, target))
        else:  # a library cannot be jumped to, so where this leads is not known either
            self.loose.add(link.source)
            self.unsure.add(link.source)

    def _add_flow(self, source: int, links: list[Link]) -> None:
        if not links:
            return
        self.leading.add(source)
        calls = tuple(Call(link.reference, link.target.call) for link in links if link.target.kind is TargetKind.CALL)
        goes_on = False
        for link in links:
            target = link.target
            if target.kind is TargetKind.CALL:
                continue
            goes_on = True
            if target.kind is TargetKind.NODE:
                if (source, target.node) not in self.flowing:
                    self.flowing.add((source, target.node))
                    self.entered.add(target.node)
                    self.edges.append(Edge(source, target.node, EdgeKind.FLOW, calls, link.reference, link.path))
            elif target.kind in (TargetKind.SYSTEM, TargetKind.OUTSIDE):
                self.exits.append(Exit(source, EdgeKind.FLOW, calls, link.reference, link.path, target))
        if not goes_on:
            last = links[-1]
            self.exits.append(Exit(source, EdgeKind.FLOW, calls, last.reference, last.path, last.target))

    def _add_waiting(self, place: Place, links: list[Link]) -> None:
        """Adds the edges that only the waiting node states.

        At a join these are restatements: they add an edge where the source has no ``next``, or where no flow edge
        into the join is written at all. Elsewhere ``wait_for`` is an edge like any other.
        """
        into_join = isinstance(place.node, Join)
        stated = into_join and place.number in self.entered
        for link in links:
            source = link.target.node
            if link.target.kind is not TargetKind.NODE or (source, place.number) in self.flowing:
                continue
            origin = self.resolver.places[source].node
            if origin.spec.is_end or not origin.spec.has_edges or (stated and source in self.leading):
                continue
            self.flowing.add((source, place.number))
            self.edges.append(Edge(source, place.number, EdgeKind.FLOW, (), link.reference, link.path, restated=True))
