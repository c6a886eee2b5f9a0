"""Availability: the context names that each node may read, and who wrote them (``language.md`` §5).

A set of names is one Python integer with a bit for each name, so that the union and intersection of sets of
thousands of names cost less than a microsecond. `EVERYTHING` is the set of all names: what is known of a node that
cannot be judged, such as one that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agentic_dsl.compiler.edges import Call, Edge, EdgeKind, Exit
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.node_table import Join
from agentic_dsl.signature import Signature

EVERYTHING = -1
"""All names: Python's integers are infinitely wide."""

NOTHING = 0

_FEW = 100


@dataclass
class Names:
    """The numbering of names. It only grows."""

    numbers: dict[str, int] = field(default_factory=dict)

    def bits(self, names: Iterable[str]) -> int:
        """The set of these names."""
        numbers = self.numbers
        members = [numbers.setdefault(name, len(numbers)) for name in names]
        if len(members) < _FEW:
            found = 0
            for number in members:
                found |= 1 << number
            return found
        octets = bytearray(max(members) // 8 + 1)  # adding to a large number bit by bit would take quadratic time
        for number in members:
            octets[number // 8] |= 1 << number % 8
        return int.from_bytes(octets, "little")

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
