"""Guards: the condition under which each node runs (``language.md`` §5).

A guard is a sequence of atoms: "p succeeded", "p failed and went to t", "the run began at r", or an opaque atom that
stands for a set of guards. Guards are kept in a trie, so that a guard is one number, equality is equality of numbers,
and the longest common prefix of two guards is their lowest common ancestor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agentic_dsl.compiler.edges import Edge, EdgeKind
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.node_table import Join

EMPTY = 0
"""The guard ε."""

OK = -1
OUTSIDE = -2


class Outcome(NamedTuple):
    """Atom: node ``node`` succeeded (`OK`), or failed and went on at node ``way`` (or `OUTSIDE` of the document)."""

    node: int
    way: int


class Begin(NamedTuple):
    """Atom: the run began at node ``root``."""

    root: int


class Either(NamedTuple):
    """The opaque atom: one of these guards holds, and no shorter way to say so is known."""

    guards: frozenset[int]


Atom = Outcome | Begin | Either


@dataclass
class GuardTrie:
    """All guards of one graph. It only grows; a guard stays valid as long as its trie.

    Attributes:
        outcomes: node → the ways on from it when it has handlers that target nodes, success included.
    """

    outcomes: dict[int, frozenset[int]] = field(default_factory=dict)
    parents: list[int] = field(default_factory=lambda: [EMPTY])
    atoms: list[Atom | None] = field(default_factory=lambda: [None])
    depths: list[int] = field(default_factory=lambda: [0])
    _known: dict[tuple[int, Atom], int] = field(default_factory=dict)

    def extend(self, guard: int, atom: Atom) -> int:
        """The guard one atom longer."""
        key = (guard, atom)
        if (known := self._known.get(key)) is not None:
            return known
        self.parents.append(guard)
        self.atoms.append(atom)
        self.depths.append(self.depths[guard] + 1)
        self._known[key] = len(self.parents) - 1
        return len(self.parents) - 1

    def sequence(self, guard: int) -> tuple[Atom, ...]:
        """The atoms of a guard, first to last."""
        found: list[Atom] = []
        while (atom := self.atoms[guard]) is not None:
            found.append(atom)
            guard = self.parents[guard]
        return tuple(reversed(found))

    def merge(self, guards: Iterable[int]) -> int:
        """The guard of a node that runs when at least one of ``guards`` holds.

        Works from the deepest level of the trie up to the lowest common ancestor of all guards, so that the cost is
        the size of the part of the trie in between. At each place it keeps the set of guards that no rule drops.
        """
        given = set(guards)
        if len(given) == 1:
            return given.pop()
        kept: dict[int, frozenset[int]] = {guard: frozenset((guard,)) for guard in given}
        levels: dict[int, set[int]] = {}
        for guard in given:
            levels.setdefault(self.depths[guard], set()).add(guard)
        depth = max(levels)
        while len(level := levels.pop(depth, set())) != 1 or levels:
            for parent, children in self._by_parent(level).items():
                if parent not in given:  # else the parent is the shorter prefix, and drops them
                    kept[parent] = self._combined(parent, [(child, kept[child]) for child in children])
                levels.setdefault(depth - 1, set()).add(parent)
            depth -= 1
        top = level.pop()
        rest = kept[top]
        if len(rest) == 1:
            return next(iter(rest))
        return self.extend(top, Either(rest))

    def _by_parent(self, level: set[int]) -> dict[int, list[int]]:
        families: dict[int, list[int]] = {}
        for guard in level:
            families.setdefault(self.parents[guard], []).append(guard)
        return families

    def _combined(self, parent: int, children: list[tuple[int, frozenset[int]]]) -> frozenset[int]:
        """What is left below ``parent``: the guard itself where all ways on from some node are covered."""
        ways: dict[int, set[int]] = {}
        for child, rest in children:
            atom = self.atoms[child]
            if isinstance(atom, Outcome) and rest == {child}:
                ways.setdefault(atom.node, set()).add(atom.way)
        if any(covered >= self.outcomes[node] for node, covered in ways.items()):
            return frozenset((parent,))
        return frozenset().union(*(rest for _, rest in children))

    def common(self, one: int, other: int) -> int:
        """The longest common prefix of two guards."""
        while one != other:
            if self.depths[one] >= self.depths[other]:
                one = self.parents[one]
            else:
                other = self.parents[other]
        return one


@dataclass(frozen=True)
class Guards:
    """The guards of a graph's nodes and edges; None where nothing can be said (cycles, references to nowhere)."""

    trie: GuardTrie
    of: tuple[int | None, ...]
    _unsure: frozenset[int]

    def of_edge(self, edge: Edge) -> int | None:
        """The condition under which an edge is taken."""
        return _edge_guard(self.trie, self.of[edge.source], edge, self._unsure)


def compute_guards(graph: Graph, *, broken: frozenset[int] = frozenset()) -> Guards:
    """The guard of every node, in topological order; ``broken`` are nodes that were not read completely."""
    trie = GuardTrie(_outcomes(graph))
    unsure = graph.unsure | broken
    of: list[int | None] = [None] * len(graph.places)
    several = len(graph.roots) > 1
    for index in graph.order:
        found: set[int] = set()
        unknown = False
        if index in graph.roots:
            found.add(trie.extend(EMPTY, Begin(index)) if several else EMPTY)
        for edge in graph.incoming[index]:
            guard = _edge_guard(trie, of[edge.source], edge, unsure)
            if guard is None:
                unknown = True
                break
            found.add(guard)
        if unknown or not found:
            continue
        if len(found) == 1:
            of[index] = found.pop()
        elif not isinstance(graph.places[index].node, Join):
            of[index] = trie.merge(found)
        # A join whose edges differ never runs as it should: `joins` says so, and nothing after it can be judged.
    return Guards(trie, tuple(of), unsure)


def _outcomes(graph: Graph) -> dict[int, frozenset[int]]:
    """For each node with a handler that targets a node: its ways on."""
    ways: dict[int, set[int]] = {}
    for edge in graph.edges:
        if edge.kind is EdgeKind.JUMP:
            ways.setdefault(edge.source, {OK}).add(edge.target)
    for exit_ in graph.exits:
        if exit_.kind is EdgeKind.JUMP and exit_.target.kind is TargetKind.OUTSIDE:
            ways.setdefault(exit_.source, {OK}).add(OUTSIDE)
    return {node: frozenset(found) for node, found in ways.items()}


def _edge_guard(trie: GuardTrie, guard: int | None, edge: Edge, unsure: frozenset[int]) -> int | None:
    if guard is None or edge.source in unsure:
        return None
    if edge.source not in trie.outcomes:
        return guard
    return trie.extend(guard, Outcome(edge.source, OK if edge.kind is EdgeKind.FLOW else edge.target))
