"""`normalise`: the one document that all spellings of the same document mean.

What the parser has not already unified: references become full paths, joins and their sources name each other, the
``next`` of a fork goes, nodes stand in topological order, and an ``entry`` that says nothing new goes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from agentic_dsl.ast import Block, Document, Subgraph
from agentic_dsl.node_references import (
    is_backward,
    path_reference,
    reference_fields,
    references_in,
    with_references,
)
from agentic_dsl.normalise_joins import drop_fork_next, gather_sources, link_joins
from agentic_dsl.paths import Reference, ReferenceKind


def normalise(document: Document) -> Document:
    """The document in the canonical form that the formatter prints.

    Deterministic and idempotent. What cannot be resolved (a dangling id, a template) is left as it is, so that a
    mistake stays the same mistake. Spans, source and diagnostics are those of ``document``.
    """
    blocks: tuple[Block, ...] = document.blocks
    for step in STEPS:
        blocks = step(blocks)
    return replace(document, blocks=blocks, epilogue=tidy_prose(document.epilogue))


def tidy_prose(text: str) -> str:
    """Prose without blank lines around it, with the line ends that the rest of a printed document has."""
    return _LEADING_BLANK.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip(" \t\n")


_LEADING_BLANK = re.compile(r"\A(?:\uFEFF|[ \t]*+\n)*+")
"""Blank lines and byte order marks: one that is not the first of a file is nothing that anyone wrote."""


def _tidy(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The prose before each block, and what follows the path in its heading."""
    return tuple(
        replace(block, prose=tidy_prose(block.prose), heading_note=" ".join(block.heading_note.split()))
        if block.prose or block.heading_note
        else block
        for block in blocks
    )


def _full_paths(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Ids and ``/self/…`` become full paths."""
    return tuple(_with_full_paths(block) if isinstance(block, Subgraph) else block for block in blocks)


def _with_full_paths(subgraph: Subgraph) -> Subgraph:
    ids = {node.id for node in subgraph.nodes}

    def full(reference: Reference) -> Reference:
        if reference.kind is ReferenceKind.ID and reference.text in ids:
            return path_reference(subgraph.node_path(reference.text), reference)
        if reference.kind is ReferenceKind.SELF:
            return path_reference(f"{subgraph.path}{reference.text.removeprefix('/self')}", reference)
        return reference

    return replace(subgraph, nodes=tuple(with_references(node, full) for node in subgraph.nodes))


def _topological(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Nodes in topological order, and ``entry`` only where it is not the first of them."""
    return tuple(_in_order(block) if isinstance(block, Subgraph) else block for block in blocks)


def _in_order(subgraph: Subgraph) -> Subgraph:
    entry = subgraph.entry_id
    ids = {node.id for node in subgraph.nodes}
    # Two nodes of one id make it unclear where an edge leads, so their order says nothing.
    edges = _edges(subgraph) if len(ids) == len(subgraph.nodes) else set()
    order = _order(len(subgraph.nodes), edges)
    ordered = replace(subgraph, nodes=tuple(subgraph.nodes[at] for at in order), entry=None)
    if entry is None or (ordered.nodes and ordered.nodes[0].id == entry == ordered.entry_id):
        return ordered
    return replace(ordered, entry=entry)


def _edges(subgraph: Subgraph) -> set[tuple[int, int]]:
    """The edges between nodes of a subgraph, by position: flow, jumps and waiting."""
    places: dict[str, int] = {}
    for position, node in enumerate(subgraph.nodes):
        places.setdefault(subgraph.node_path(node), position)
    edges: set[tuple[int, int]] = set()
    for position, node in enumerate(subgraph.nodes):
        for spec in reference_fields(node):
            for reference in references_in(node, spec):
                path = reference.path
                if reference.kind is ReferenceKind.PATH and path is not None and path.text in places:
                    other = places[path.text]
                    edges.add((other, position) if is_backward(spec) else (position, other))
    return edges


def _order(count: int, edges: set[tuple[int, int]]) -> list[int]:
    """Positions in topological order: as they are where that is one or there is none, else Kahn's, lowest first."""
    if all(source < target for source, target in edges):
        return list(range(count))
    import networkx as nx  # slow to import, and most documents are in order

    graph: Any = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges)
    if not nx.is_directed_acyclic_graph(graph):
        return list(range(count))
    return list(nx.lexicographical_topological_sort(graph))


STEPS = (_tidy, _full_paths, drop_fork_next, gather_sources, link_joins, _topological)
"""The steps of `normalise`, in order: each relies on those before it."""
