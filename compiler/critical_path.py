"""The longest way through a diagram, and an order of its items that circles do not disturb."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from agentic_dsl.compiler.diagram import Way, WayKind


def ranks(keys: Sequence[str], ways: Iterable[tuple[str, str]]) -> dict[str, int]:
    """A number for each key: along every way it grows, but for those that close a circle.

    Keys of one circle stand in the given order, so what closes it is the way that leads back in the source.
    """
    import networkx as nx  # slow to import, and most commands draw nothing

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(keys)
    graph.add_edges_from(ways)
    place = {key: number for number, key in enumerate(keys)}
    circles = nx.condensation(graph)
    members = {number: sorted(data["members"], key=place.__getitem__) for number, data in circles.nodes(data=True)}
    order = nx.lexicographical_topological_sort(circles, key=lambda number: place[members[number][0]])
    return {key: rank for rank, key in enumerate(key for number in order for key in members[number])}


def critical_ways(parts: Mapping[str, int], ways: Sequence[Way], starts: set[str]) -> set[tuple[str, str]]:
    """Source and target of each step of the longest ways, one for each part.

    A node and a library call count one step each; failures are no part of it, for a plan is judged by how long
    it takes when it works.

    Args:
        parts: key → the part of the diagram that it belongs to.
        ways: those that close circles are left out.
        starts: keys that a run can reach; what only others lead to is left out.
    """
    import networkx as nx

    following: dict[str, list[str]] = defaultdict(list)
    for way in ways:
        if way.kind is not WayKind.JUMP and not way.closing:
            following[way.source].append(way.target)
    reached = set(starts)
    stack = list(starts)
    while stack:
        new = set(following[stack.pop()]) - reached
        reached |= new
        stack += new
    # A graph of its own for each part: networkx walks a view of a subgraph in an order that differs from run to run.
    graphs: dict[int, nx.DiGraph[str]] = {}
    for key, part in parts.items():
        if key in reached:
            graph = graphs.setdefault(part, nx.DiGraph())
            graph.add_node(key)
            graph.add_edges_from((key, target) for target in following[key])
    return {step for graph in graphs.values() for step in pairwise(nx.dag_longest_path(graph))}
