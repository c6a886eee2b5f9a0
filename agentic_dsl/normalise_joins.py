"""Joins and their sources name each other, and forks have no ``next``: three steps of `agentic_dsl.normalise`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentic_dsl.ast import Block, Subgraph
from agentic_dsl.node_references import is_flow, path_reference, reference_fields
from agentic_dsl.node_table import AnyNode, Fork, Join
from agentic_dsl.paths import Reference, ReferenceKind

Spot = tuple[int, int]
"""A node of a document: index of its block, index of the node."""


@dataclass(slots=True)
class _Nodes:
    """The nodes of a document while they are rewritten. Owned by one step."""

    blocks: tuple[Block, ...]
    nodes: dict[Spot, AnyNode]
    spots: Mapping[str, Spot]
    """Where each full path leads that is one node's; a block's path stands for its entry, a library's is a call."""

    @classmethod
    def of(cls, blocks: tuple[Block, ...]) -> _Nodes:
        nodes: dict[Spot, AnyNode] = {}
        spots: dict[str, Spot] = {}
        entries: dict[str, str] = {}
        written: Counter[str] = Counter()
        for at, block in enumerate(blocks):
            if isinstance(block, Subgraph):
                for position, node in enumerate(block.nodes):
                    nodes[at, position] = node
                    path = block.node_path(node)
                    spots[path] = (at, position)
                    written[path] += 1
                if (entry := block.entry_id) is not None and not block.path.is_library:
                    entries.setdefault(str(block.path), block.node_path(entry))
        for path, count in written.items():
            if count > 1:  # two nodes of one path: it is not known which one a reference means
                del spots[path]
        for path, entry_path in entries.items():
            if entry_path in spots and path not in written:
                spots[path] = spots[entry_path]
        return cls(blocks, nodes, spots)

    def path(self, spot: Spot) -> str:
        """The full path of a node."""
        block = self.blocks[spot[0]]
        assert isinstance(block, Subgraph)
        return block.node_path(self.nodes[spot])

    def named_by(self, reference: Reference) -> Spot | None:
        """The node that a reference names, None where that is no node of the document."""
        if reference.kind is not ReferenceKind.PATH:
            return None
        return self.spots.get(str(reference.path))

    def result(self) -> tuple[Block, ...]:
        """The blocks with the nodes as they are now."""
        return tuple(self._with_nodes(at, block) for at, block in enumerate(self.blocks))

    def _with_nodes(self, at: int, block: Block) -> Block:
        if not isinstance(block, Subgraph):
            return block
        nodes = tuple(self.nodes[at, position] for position in range(len(block.nodes)))
        return block if all(a is b for a, b in zip(nodes, block.nodes, strict=True)) else replace(block, nodes=nodes)


def _all(blocks: tuple[Block, ...]) -> Iterator[AnyNode]:
    return (node for block in blocks if isinstance(block, Subgraph) for node in block.nodes)


def drop_fork_next(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The ``next`` of a fork names its join, which its branches lead to anyway; one that names anything else stays."""
    if not any(isinstance(node, Fork) and node.next for node in _all(blocks)):
        return blocks
    nodes = _Nodes.of(blocks)
    for spot, node in nodes.nodes.items():
        if isinstance(node, Fork) and node.next:
            targets = [nodes.named_by(reference) for reference in node.next]
            if all(target is not None and isinstance(nodes.nodes[target], Join) for target in targets):
                nodes.nodes[spot] = replace(node, next=())
    return nodes.result()


def gather_sources(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """The ``wait_for`` that every node has means, on a join, the join's own."""
    if not any(isinstance(node, Join) and node.wait_for is not None for node in _all(blocks)):
        return blocks
    nodes = _Nodes.of(blocks)
    for spot, node in nodes.nodes.items():
        if isinstance(node, Join) and node.wait_for is not None:
            more = tuple(source for source in node.wait_for.references if source not in node.sources)
            nodes.nodes[spot] = replace(node, sources=(*node.sources, *more), wait_for=None)
    return nodes.result()


def link_joins(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """A join names all its sources and they name it, where a text states only one of the two.

    ``@all`` and missing sources become the sources of the flow edges into the join. A source is led to its join where
    it has no successor of its own, or where no flow edge into the join is written at all.
    """
    if not any(isinstance(node, Join) for node in _all(blocks)):
        return blocks
    nodes = _Nodes.of(blocks)
    joins = [(spot, node) for spot, node in nodes.nodes.items() if isinstance(node, Join)]
    into = _flow_sources(nodes)
    for spot, join in joins:
        flowing = [nodes.path(source) for source in into.get(spot, ())]
        sources = _sources(join, flowing)
        if sources != join.sources:
            join_now = nodes.nodes[spot]  # an earlier join may have led this one to itself
            assert isinstance(join_now, Join)
            nodes.nodes[spot] = replace(join_now, sources=sources)
        for source in sources:
            _lead(nodes, source, spot, stated=bool(flowing))
    return nodes.result()


def _flow_sources(nodes: _Nodes) -> dict[Spot, list[Spot]]:
    """For each node the nodes whose flow edges lead to it, in source order."""
    into: dict[Spot, list[Spot]] = {}
    for spot, node in nodes.nodes.items():
        if node.spec.is_end or not node.spec.has_edges:
            continue
        targets = dict.fromkeys(map(nodes.named_by, _flow_references(node)))
        for target in targets:
            if target is not None:
                into.setdefault(target, []).append(spot)
    return into


def _flow_references(node: AnyNode) -> Iterator[Reference]:
    """What a node leads to when it succeeds. The ``next`` of a fork is no edge."""
    for spec in reference_fields(node):
        if is_flow(spec) and not (isinstance(node, Fork) and spec.name == "next"):
            yield from getattr(node, spec.name)


def _sources(join: Join, flowing: list[str]) -> tuple[Reference, ...]:
    """The sources of a join, ``@all`` and their absence resolved to the nodes that lead to it."""
    if not flowing or (join.sources and not any(source.kind is ReferenceKind.ALL for source in join.sources)):
        return join.sources
    named = [source for source in join.sources if source.kind is not ReferenceKind.ALL]
    written = {source.text for source in named}
    return (*named, *(path_reference(text) for text in flowing if text not in written))


def _lead(nodes: _Nodes, source: Reference, join: Spot, *, stated: bool) -> None:
    """Gives a source of a join its missing flow edge to it, unless the source leads elsewhere for certain."""
    spot = nodes.named_by(source)
    if spot is None or spot == join:
        return
    node = nodes.nodes[spot]
    field = "branches" if isinstance(node, Fork) else "next"
    held: tuple[Reference, ...] = getattr(node, field)
    if node.spec.is_end or not node.spec.has_edges or (held and stated):
        return
    if all(nodes.named_by(reference) not in (None, join) for reference in held):
        changes: Any = {field: (*held, path_reference(nodes.path(join)))}
        nodes.nodes[spot] = replace(node, **changes)
