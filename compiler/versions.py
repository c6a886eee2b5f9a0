"""Whose value of a name each edge brings to a join: two different ones need a merge (``language.md`` §5, rule 10).

A *version* of a name is the node that wrote the value, the library call that did, the entry, or the node where
different versions met. Which version is there is kept as a tree of changes: what is behind a node, or behind its only
in-edge, are the changes since then; where edges meet, those since the last point that all of them have passed. So
memory grows with what is written and with what differs where edges meet, not with nodes times names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from agentic_dsl.compiler.availability import Availability
from agentic_dsl.compiler.edges import Call, Edge, EdgeKind
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.node_table import Join

MAX_STEPS = 5_000_000
"""Changes that are looked at before the rest is left unjudged: thousands of joins of thousands of names."""


class Clash(NamedTuple):
    """A name of which two edges bring different values to a join."""

    name: str
    first: Edge
    other: Edge


@dataclass(frozen=True)
class Clashes:
    """What `find_clashes` gives.

    Attributes:
        at: for each join the names that clash there.
        unjudged: the first node at which the limit was reached, None where all are judged.
    """

    at: dict[int, tuple[Clash, ...]]
    unjudged: int | None


def find_clashes(graph: Graph, availability: Availability) -> Clashes:
    """The names of which different values meet at the joins of a graph."""
    joins = [p.number for p in graph.places if isinstance(p.node, Join) and len(graph.incoming[p.number]) > 1]
    contested = _contested(graph, availability) if joins else frozenset()
    if not contested:
        return Clashes({}, None)
    walk = _Walk(graph, availability, contested)
    for index in graph.order:
        walk.enter(index)
        if walk.steps > MAX_STEPS:
            return Clashes(walk.clashes, index)
    return Clashes(walk.clashes, None)


def _contested(graph: Graph, availability: Availability) -> frozenset[str]:
    """The names that more than one writer gives a value: only their versions can differ."""
    once: set[str] = set()
    again: set[str] = set()

    def add(names: Iterable[str]) -> None:
        for name in names:
            (again if name in once else once).add(name)

    for place in graph.places:
        add(set(place.node.writes))
    for calls in {way.source: way.calls for way in graph.ways if way.calls}.values():
        for call in calls:
            add(outputs(call))
    for begin in availability.begin:
        add(availability.names.of(begin))
    return frozenset(again)


def outputs(call: Call) -> tuple[str, ...]:
    """The names that a library call surely writes, as far as that is known."""
    if call.callee is None or call.callee.signature is None:
        return ()
    return call.callee.signature.required_outputs


_ROOT = 0


@dataclass
class _Walk:
    """Enters the nodes in topological order; used once.

    A *point* is a number: a place between nodes, at which `changes` are made to what holds at the point `above` it.
    """

    graph: Graph
    availability: Availability
    contested: frozenset[str]
    above: list[int] = field(default_factory=lambda: [_ROOT])
    depth: list[int] = field(default_factory=lambda: [0])
    changes: list[dict[str, object]] = field(default_factory=lambda: [{}])
    at: dict[int, int] = field(default_factory=dict)
    """Node → its point."""
    behind: dict[tuple[int, bool], int] = field(default_factory=dict)
    """A node that succeeded, and whether its calls were made → the point behind that."""
    clashes: dict[int, tuple[Clash, ...]] = field(default_factory=dict)
    steps: int = 0

    def enter(self, index: int) -> None:
        """Finds the point of a node from those of its in-edges."""
        graph, availability = self.graph, self.availability
        arriving: list[tuple[int, int, Edge | None]] = [
            (self._after(edge), availability.delivered(edge), edge) for edge in graph.incoming[index]
        ]
        if index in graph.roots:
            begin = availability.begin[graph.places[index].block]
            names: dict[str, object] = {
                name: ("begin", index) for name in availability.names.of(begin) if name in self.contested
            }
            arriving.append((self._point(_ROOT, names), begin, None))
        if not arriving:
            self.at[index] = _ROOT
        elif len(arriving) == 1:
            self.at[index] = arriving[0][0]
        else:
            self.at[index] = self._merge(index, arriving)

    def _point(self, above: int, changes: dict[str, object]) -> int:
        if not changes and above != _ROOT:
            return above
        self.above.append(above)
        self.depth.append(self.depth[above] + 1)
        self.changes.append(changes)
        self.steps += len(changes)
        return len(self.above) - 1

    def _after(self, edge: Edge) -> int:
        source = edge.source
        if edge.kind is EdgeKind.JUMP:
            return self.at[source]
        key = (source, bool(edge.calls))  # a node calls the same before all that follows, or it is waited for
        if key not in self.behind:
            written: dict[str, object] = dict.fromkeys(self.graph.places[source].node.writes, source)
            for position, call in enumerate(edge.calls):
                written |= dict.fromkeys(outputs(call), ("call", source, position))
            kept = {name: version for name, version in written.items() if name in self.contested}
            self.behind[key] = self._point(self.at[source], kept)
        return self.behind[key]

    def _merge(self, index: int, arriving: list[tuple[int, int, Edge | None]]) -> int:
        top = arriving[0][0]
        for point, _, _ in arriving[1:]:
            top = self._common(top, point)
        changed = [self._since(top, point) for point, _, _ in arriving]
        touched = dict.fromkeys(name for changes in changed for name in changes)
        there = [self._among(touched, bits) for _, bits, _ in arriving]
        kept = self._among(touched, self.availability.at[index])
        merged: dict[str, object] = {}
        found: list[Clash] = []
        for name in touched:
            brought = [
                (changes[name] if name in changes else self._version(top, name), edge)
                for changes, names, (_, _, edge) in zip(changed, there, arriving, strict=True)
                if name in names
            ]
            brought = [(version, edge) for version, edge in brought if version is not None]
            if not brought or name not in kept:
                continue
            first, edge = brought[0]
            other = next(((v, e) for v, e in brought if v != first), None)
            merged[name] = first if other is None else ("met", index)
            if other is not None and edge is not None and other[1] is not None:
                found.append(Clash(name, edge, other[1]))
        if found and isinstance(self.graph.places[index].node, Join):
            self.clashes[index] = tuple(found)
        return self._point(top, merged)

    def _common(self, one: int, other: int) -> int:
        """The last point that both have passed."""
        while one != other:
            if self.depth[one] < self.depth[other]:
                one, other = other, one
            one = self.above[one]
            self.steps += 1
        return one

    def _since(self, top: int, point: int) -> dict[str, object]:
        """What has changed from one point to another below it."""
        changed: dict[str, object] = {}
        for passed in self._up(point):
            if passed == top:
                break
            for name, version in self.changes[passed].items():
                changed.setdefault(name, version)
            self.steps += len(self.changes[passed])
        return changed

    def _version(self, point: int, name: str) -> object | None:
        for passed in self._up(point):
            if name in self.changes[passed]:
                return self.changes[passed][name]
        return None

    def _up(self, point: int) -> Iterator[int]:
        while True:
            self.steps += 1
            yield point
            if point == _ROOT:
                return
            point = self.above[point]

    def _among(self, names: dict[str, None], bits: int) -> frozenset[str]:
        """Those of some names that are in a set of names."""
        if bits < 0:
            return frozenset(names)
        has = self.availability.names.has
        if len(names) < _FEW:
            return frozenset(name for name in names if has(bits, name))
        self.steps += len(self.availability.names.numbers) // 8
        return frozenset(self.availability.names.of(bits)).intersection(names)


_FEW = 100
"""With more names than this it is cheaper to list a set than to ask it for each of them."""
