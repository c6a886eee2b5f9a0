"""Availability: the context names that each node may read, and who wrote them (``language.md`` §5).

A set of names is one Python integer with a bit for each name, so that the union and intersection of sets of
thousands of names cost less than a microsecond. `EVERYTHING` is the set of all names: what is known of a node that
cannot be judged, such as one that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from agentic_dsl.compiler.edges import Call, Edge, EdgeKind, Exit
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.node_table import Join
from agentic_dsl.signature import Signature

EVERYTHING = -1
"""All names: Python's integers are infinitely wide."""

NOTHING = 0


@dataclass
class Names:
    """The numbering of names. It only grows."""

    numbers: dict[str, int] = field(default_factory=dict)

    def bits(self, names: Iterable[str]) -> int:
        """The set of these names."""
        found = 0
        numbers = self.numbers
        for name in names:
            found |= 1 << numbers.setdefault(name, len(numbers))
        return found

    def has(self, names: int, name: str) -> bool:
        """Whether a set holds a name."""
        number = self.numbers.get(name)
        return names < 0 if number is None else bool(names >> number & 1)

    def of(self, bits: int) -> Iterator[str]:
        """The names of a set, in the order of their numbers; every known name for `EVERYTHING`."""
        if bits < 0:
            yield from self.numbers
            return
        digits = bin(bits)[:1:-1]  # lowest bit first; shifting the whole number for each bit would take quadratic time
        for name, digit in zip(self.numbers, digits, strict=False):
            if digit == "1":
                yield name


@dataclass(frozen=True)
class Availability:
    """What `compute_availability` gives.

    Attributes:
        at: for each node the names that it may read.
        writes: for each node the names that it writes when it succeeds.
        begin: for each block the names there are when it is entered.
    """

    names: Names
    at: tuple[int, ...]
    writes: tuple[int, ...]
    begin: tuple[int, ...]
    _graph: Graph

    def after(self, source: int, kind: EdgeKind) -> int:
        """The names there are when a node has succeeded (flow) or failed (jump), before any call on the edge."""
        return self.at[source] | self.writes[source] if kind is EdgeKind.FLOW else self.at[source]

    def delivered(self, way: Edge | Exit) -> int:
        """The names that an edge, or a way out, brings along."""
        return self.after(way.source, way.kind) | self.outputs(way.calls)

    def outputs(self, calls: Iterable[Call]) -> int:
        """The names that library calls surely write; everything where a callee's outputs are not known."""
        return outputs_of(self.names, calls)


def outputs_of(names: Names, calls: Iterable[Call]) -> int:
    """The names that library calls surely write; everything where a callee's outputs are not known."""
    found = NOTHING
    for call in calls:
        if call.callee is None or call.callee.signature is None:
            return EVERYTHING
        found |= names.bits(call.callee.signature.required_outputs)
    return found


def compute_availability(
    graph: Graph, *, context: Iterable[str] = (), broken: frozenset[int] = frozenset()
) -> Availability:
    """The availability of every node, in topological order.

    Args:
        graph: the edges.
        context: names that the caller's context holds when a block is entered.
        broken: nodes that were not read completely; what they write is not known.
    """
    names = Names()
    declared = names.bits(context)
    begin = tuple(declared | names.bits(_inputs(block.signature)) for block in graph.resolver.blocks)
    writes = tuple(EVERYTHING if place.number in broken else names.bits(place.node.writes) for place in graph.places)
    at = [EVERYTHING] * len(graph.places)
    for index in graph.order:
        place = graph.places[index]
        join = isinstance(place.node, Join)
        found: int | None = begin[place.block] if index in graph.roots else None
        for edge in graph.incoming[index]:
            source = edge.source
            delivered = at[source]
            if edge.kind is EdgeKind.FLOW:
                delivered |= writes[source]
                if edge.calls:
                    delivered |= outputs_of(names, edge.calls)
            if found is None:
                found = delivered
            elif join:
                found |= delivered
            else:
                found &= delivered
        at[index] = EVERYTHING if found is None else found
    return Availability(names, tuple(at), writes, begin, graph)


def _inputs(signature: Signature | None) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in signature.inputs) if signature else ()


@dataclass(frozen=True)
class Versions:
    """Which value of a name each edge brings: equal versions are one value, so that no merge is needed.

    Only names with several writers can differ, so only those are followed. A version is the node that wrote the
    value, the reference of the library call that did, the entry, or the node where different values met.
    """

    _graph: Graph
    _availability: Availability

    @cached_property
    def contested(self) -> frozenset[str]:
        """The names that more than one writer gives a value."""
        writers: dict[str, set[object]] = {}
        for place in self._graph.places:
            for name in place.node.writes:
                writers.setdefault(name, set()).add(place.number)
        for way in self._graph.ways:
            for position, call in enumerate(way.calls):
                for name in _outputs(call):
                    writers.setdefault(name, set()).add(("call", way.source, position))
        for number, begin in enumerate(self._availability.begin):
            for name in self._availability.names.of(begin):
                writers.setdefault(name, set()).add(("begin", number))
        return frozenset(name for name, found in writers.items() if len(found) > 1)

    @cached_property
    def _at(self) -> list[dict[str, object]]:
        """For each node the version of each contested name that is available."""
        graph, availability = self._graph, self._availability
        at: list[dict[str, object]] = [{} for _ in graph.places]
        for index in graph.order:
            arriving = [self._after(at, edge) for edge in graph.incoming[index]]
            if index in graph.roots:
                begin = availability.names.of(availability.begin[graph.places[index].block])
                arriving.append({name: ("begin", index) for name in begin if name in self.contested})
            if len(arriving) == 1:
                at[index] = arriving[0]
                continue
            merged: dict[str, object] = {}
            for versions in arriving:
                for name, version in versions.items():
                    merged[name] = version if merged.get(name, version) == version else ("met", index)
            at[index] = {name: v for name, v in merged.items() if availability.names.has(availability.at[index], name)}
        return at

    def _after(self, at: list[dict[str, object]], edge: Edge) -> dict[str, object]:
        versions = at[edge.source]
        if edge.kind is EdgeKind.JUMP:
            return versions
        written: dict[str, object] = {
            name: edge.source for name in self._graph.places[edge.source].node.writes if name in self.contested
        }
        for position, call in enumerate(edge.calls):
            written |= {n: ("call", edge.source, position) for n in _outputs(call) if n in self.contested}
        return versions | written if written else versions

    def on_edge(self, edge: Edge) -> dict[str, object]:
        """Name → version, for the contested names that an edge brings."""
        return self._after(self._at, edge)


def _outputs(call: Call) -> tuple[str, ...]:
    if call.callee is None or call.callee.signature is None:
        return ()
    return call.callee.signature.required_outputs
