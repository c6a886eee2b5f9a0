"""The vocabulary of graphs: edges, ways out, and the references that make them (``language.md`` §5)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from agentic_dsl.compiler.resolution import Callee, Target
from agentic_dsl.node_references import reference_fields
from agentic_dsl.node_table import AnyNode, FieldSpec, WaitFor
from agentic_dsl.paths import Reference
from agentic_dsl.span import SpanPath


class EdgeKind(Enum):
    """When an edge is taken: `FLOW` on success, `JUMP` on failure."""

    FLOW = "flow"
    JUMP = "jump"


class Call(NamedTuple):
    """One library call on an edge; `callee` is None where the reference resolves to no known entry."""

    reference: Reference
    callee: Callee | None


class Edge(NamedTuple):
    """An edge between two nodes.

    Attributes:
        calls: library calls that run on the way.
        reference: what made the edge; it may stand at the target (`restated`).
        path: where the reference stands in the node that holds it.
        restated: whether only a ``wait_for`` of the target says it.
    """

    source: int
    target: int
    kind: EdgeKind
    calls: tuple[Call, ...]
    reference: Reference
    path: SpanPath
    restated: bool = False


class Exit(NamedTuple):
    """A way out of the document: to a system target, to somewhere outside, or nothing after the calls of a list."""

    source: int
    kind: EdgeKind
    calls: tuple[Call, ...]
    reference: Reference
    path: SpanPath
    target: Target


class Link(NamedTuple):
    """One reference of one node with what it points at."""

    source: int
    field: str
    path: SpanPath
    reference: Reference
    target: Target


NEXT, BRANCHES, SOURCES, WAIT_FOR = "next", "branches", "sources", "wait_for"
"""The attributes of the node table that hold lists of references."""


def references_of(node: AnyNode) -> Iterator[tuple[FieldSpec, SpanPath, Reference]]:
    """Every reference of a node: its cell of the table, its place in the node, itself; lists in their order."""
    for spec in reference_fields(node):
        held = getattr(node, spec.name)
        if not held:
            continue
        if isinstance(held, Reference):
            yield spec, spec.path, held
        else:
            for position, listed in enumerate(held.references if isinstance(held, WaitFor) else held):
                yield spec, (*spec.path, position), listed
