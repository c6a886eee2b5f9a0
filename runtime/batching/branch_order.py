"""Which ``generate_subgraph`` nodes a fork's branches lead to, and how far each is from an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl.ast import Document
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import BRANCHES
from agentic_dsl.compiler.graph import Graph
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.errors import UsageError
from agentic_dsl.node_table import Fork, GenerateSubgraph, Join

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.constraints import Constraints


@dataclass(frozen=True, slots=True)
class Branch:
    """One node that asks for a subgraph.

    Attributes:
        place: where it stands.
        node: itself.
    """

    place: Place
    node: GenerateSubgraph


@dataclass(frozen=True, slots=True)
class Branches:
    """What `find_branches` gives.

    Attributes:
        context: the document and what is known of it.
        branches: in the order of the document.
    """

    context: CheckContext
    branches: tuple[Branch, ...]

    def lengths(self, generated: int) -> dict[int, int]:
        """For each node how many nodes are on the longest way from it to an end, itself included.

        Args:
            generated: how many nodes a ``generate_subgraph`` counts for: those of its answer. A library call on the
                way counts for one.
        """
        graph = self.context.graph
        lengths: dict[int, int] = {}
        for number in reversed(graph.order):
            own = generated if isinstance(graph.places[number].node, GenerateSubgraph) else 1
            ways = [len(edge.calls) + lengths[edge.target] for edge in graph.outgoing[number]]
            ways += (len(exit_.calls) for exit_ in graph.exits_of[number])
            lengths[number] = own + max(ways, default=0)
        return lengths


def find_branches(
    document: Document,
    fork: str | None = None,
    *,
    library: Library | None = None,
    constraints: Constraints | None = None,
) -> Branches:
    """The ``generate_subgraph`` nodes that the branches of a fork lead to.

    Args:
        document: a document that parses.
        fork: the fork's id or full path; None is every fork.
        library: entries that references may name.
        constraints: whose libraries and targets references may name.

    Raises:
        UsageError: the document does not parse or has a circle, or there is no such fork.
    """
    error = next((finding for finding in document.diagnostics if finding.is_error), None)
    if error is not None:
        raise UsageError(f"the document has errors: {error.message}", help="correct what `check` finds")
    known = CheckContext(document, library, constraints)
    graph = known.graph
    if graph.cycles:
        around = graph.places[graph.cycles[0][0].source].node.id
        raise UsageError(f'the document has a circle through node "{around}"', help="correct what `check` finds")
    found: set[int] = set()
    for place in _forks(graph, fork):
        found |= _behind(graph, place)
    branches = (
        Branch(place, place.node)
        for place in graph.places
        if place.number in found and isinstance(place.node, GenerateSubgraph)
    )
    return Branches(known, tuple(branches))


def _forks(graph: Graph, wanted: str | None) -> list[Place]:
    forks = [place for place in graph.places if isinstance(place.node, Fork)]
    if wanted is None:
        return forks
    named = [place for place in forks if wanted in (place.path, place.node.id)]
    if len(named) == 1:
        return named
    if named:
        raise UsageError(f'{len(named)} forks are called "{wanted}"', help=f"name one by its path: {named[0].path}, …")
    others = ", ".join(place.node.id for place in forks[:5])
    raise UsageError(
        f'the document has no fork "{wanted}"', help=f"name one of: {others}" if others else "give a document with one"
    )


def _behind(graph: Graph, fork: Place) -> set[int]:
    """The nodes that ask for a subgraph between a fork and where its branches meet, none of them behind another."""
    links = (link for link in graph.links_of[fork.number] if link.field == BRANCHES)
    starts = [link.target.node for link in links if link.target.kind is TargetKind.NODE]
    reached = [graph.reach({start}) for start in starts]
    if len(reached) > 1:
        met = frozenset.intersection(*reached)
    else:  # a branch alone meets nobody: its first join is as far as it goes
        joins = {number for number in graph.reach(set(starts)) if isinstance(graph.places[number].node, Join)}
        met = graph.reach(joins)
    region = graph.reach(set(starts)) - met
    asking = {number for number in region if isinstance(graph.places[number].node, GenerateSubgraph)}
    later: set[int] = set()
    for number in asking:
        later |= graph.reach({number}) - {number}
    return asking - later
