"""Diagrams: what drawings of a document show, as values that know no format.

A diagram is the graph of `agentic_dsl.compiler.graph` with everything in it that a person wants to see: a library call
is a node of its own on the way, every way out leads to a node, and findings stand at the nodes that they are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agentic_dsl.diagnostics import DiagnosticRecord, Severity
from agentic_dsl.json_view import Json


class ItemKind(Enum):
    """What an item of a diagram stands for."""

    NODE = "node"
    """A node of the document."""
    CALL = "call"
    """One call of a library entry, between the node that makes it and what follows."""
    END = "end"
    """An end of the run that is no node: a system target, or nothing after the calls of a list."""
    OUTSIDE = "outside"
    """Something that exists and is not drawn: another document's, or another subgraph where one is chosen."""
    OPEN = "open"
    """Known at run time only, or nothing of that name."""


class WayKind(Enum):
    """When a way is taken."""

    FLOW = "flow"
    """After success."""
    CALL = "call"
    """After success, into a library."""
    JUMP = "jump"
    """On failure."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is drawn.

    Attributes:
        key: what ways call it, unique in the diagram and made of ``[a-z0-9_]``: ``n3``, ``c3_1``, ``x0``.
        name: the node's id, or the reference as written.
        type: the node type as written; empty for anything else.
        uses: tools, models and runtimes that the node names.
        writes: context keys that it writes when it succeeds.
        block: the subgraph that it is drawn in, an index of `Diagram.blocks`.
        line: where it begins in the source, 1-based; None for what no line is about.
        fields: what a reader may want to look up: a node as `json_view` has it, a call with its signature.
        findings: what is wrong with it, in order of place.
        critical: whether it is on the longest way through its part of the document.
    """

    key: str
    kind: ItemKind
    name: str
    block: int
    type: str = ""
    uses: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    line: int | None = None
    fields: Json | None = None
    findings: tuple[DiagnosticRecord, ...] = ()
    critical: bool = False

    @property
    def severity(self) -> str | None:
        """The worst severity of its findings; None without any."""
        return worst(self.findings)


@dataclass(frozen=True, slots=True)
class Way:
    """One arrow.

    Attributes:
        label: the handler that makes it, for a jump; else empty.
        critical: whether the longest way takes it.
        closing: whether it closes a circle, so that no order of the items is along it.
    """

    source: str
    target: str
    kind: WayKind
    label: str = ""
    critical: bool = False
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One subgraph: what stands around its items.

    Attributes:
        single: whether the block is its only node, whose path is the block's; else nodes are below it.
        findings: those that are about none of its nodes.
    """

    path: str
    signature: str
    single: bool = False
    findings: tuple[DiagnosticRecord, ...] = ()


@dataclass(frozen=True)
class Diagram:
    """What `agentic_dsl.compiler.diagram_builder` gives.

    Attributes:
        title: what people call the document.
        items: in source order; a node, its calls, and in the end what is no node.
        ways: in the order of their sources.
        findings: those about no subgraph that is drawn.
    """

    title: str
    blocks: tuple[Block, ...]
    items: tuple[Item, ...]
    ways: tuple[Way, ...]
    findings: tuple[DiagnosticRecord, ...] = ()

    @property
    def all_findings(self) -> tuple[DiagnosticRecord, ...]:
        """Every finding that is shown somewhere."""
        groups = (self.findings, *(b.findings for b in self.blocks), *(i.findings for i in self.items))
        return tuple(finding for group in groups for finding in group)


def worst(findings: tuple[DiagnosticRecord, ...]) -> str | None:
    """The worst severity of findings; None where there are none."""
    found = {finding["severity"] for finding in findings}
    return next((severity.value for severity in Severity if severity.value in found), None)
