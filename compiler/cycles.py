"""Circles in a graph, for the finding that names them."""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import TYPE_CHECKING

from agentic_dsl.compiler.edges import Edge

if TYPE_CHECKING:
    import networkx as nx  # heavy, and only a document with a cycle pays for it


def circles(edges: tuple[tuple[Edge, ...], ...], left: Set[int]) -> tuple[tuple[Edge, ...], ...]:
    """A shortest circle through each strongly connected group of nodes.

    Args:
        edges: for each node the edges out of it.
        left: the nodes to look at, all that no topological order holds.
    """
    import networkx as nx

    directed: nx.DiGraph[int] = nx.DiGraph()
    directed.add_edges_from((e.source, e.target) for index in left for e in edges[index] if e.target in left)
    found = []
    for component in nx.strongly_connected_components(directed):
        first = min(component)
        if len(component) > 1 or directed.has_edge(first, first):
            found.append(_shortest_circle(edges, first, component))
    return tuple(sorted(found, key=lambda circle: circle[0].source))


def _shortest_circle(edges: tuple[tuple[Edge, ...], ...], start: int, component: Set[int]) -> tuple[Edge, ...]:
    """The edges of a shortest path from ``start`` back to it."""
    came_by: dict[int, Edge] = {}
    queue = deque([start])
    while queue:
        for edge in edges[queue.popleft()]:
            if edge.target == start:
                circle = [edge]
                while circle[-1].source != start:
                    circle.append(came_by[circle[-1].source])
                return tuple(reversed(circle))
            if edge.target in component and edge.target not in came_by:
                came_by[edge.target] = edge
                queue.append(edge.target)
    return ()
