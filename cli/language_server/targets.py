"""What the reference under a cursor points at, and where that stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor
from agentic_dsl.compiler.edges import references_of
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.compiler.resolution import Callee, Place, Target, TargetKind
from agentic_dsl.node_table import FieldKind
from agentic_dsl.paths import SYSTEM_TARGETS, Reference, ReferenceKind
from agentic_dsl.span import NOWHERE, Source, Span

_KINDS = (FieldKind.REFERENCE, FieldKind.REFERENCES, FieldKind.WAIT)


@dataclass(frozen=True, slots=True)
class Referent:
    """What a reference means.

    Attributes:
        node: for a node, and for a block the node that runs first in it.
        block: where a block is named.
        callee: for a library entry.
        system: for a system target its path.
    """

    node: Place | None = None
    block: Subgraph | None = None
    callee: Callee | None = None
    system: str | None = None

    @property
    def where(self) -> tuple[Source | None, Span] | None:
        """The text that holds it (None: the document itself) and its place there; None where it has none."""
        if self.callee is not None:
            entry = self.callee.entry
            if entry is None or entry.block.path_span == NOWHERE:
                return None
            return entry.document.source, entry.block.path_span
        if self.block is not None:
            return None, self.block.path_span
        if self.node is None:
            return None
        return None, self.node.subgraph.path_span if self.node.subgraph.single else self.node.node.at("id")


def referent_at(cursor: Cursor, analysis: Analysis) -> Referent | None:
    """What is named under a cursor, None where no reference stands or it leads nowhere known.

    Args:
        cursor: in the text as it is.
        analysis: the same document, readable.
    """
    field, text = cursor.field, cursor.slot.text
    if field is None or not cursor.is_value or not text:
        return None
    if cursor.keys[:1] == ("requires",):
        return _library(text, analysis)
    if not cursor.is_node and field.path == ("entry",):
        return _entry(cursor, analysis)
    if field.kind not in _KINDS:
        return None
    return referent(parse_reference(text), _block_number(cursor, analysis), analysis)


def referent(reference: Reference, block: int, analysis: Analysis) -> Referent | None:
    """What a reference in a block means; the blocks are counted as the resolver does."""
    resolver = analysis.check.resolver
    if reference.kind is not ReferenceKind.PATH and not resolver.blocks:
        return None
    if not resolver.blocks:
        return Referent(system=reference.text) if reference.text in SYSTEM_TARGETS else None
    return _known(resolver.resolve(reference, block), reference, analysis)


def _known(target: Target, reference: Reference, analysis: Analysis) -> Referent | None:
    match target.kind:
        case TargetKind.NODE:
            node = analysis.check.graph.places[target.node] if target.node >= 0 else None
            return Referent(node=node, block=target.block)
        case TargetKind.CALL if target.call is not None:
            return Referent(callee=target.call)
        case TargetKind.SYSTEM:
            return Referent(system=reference.text)
        case _:
            return None


def _library(text: str, analysis: Analysis) -> Referent | None:
    """The library entry that a requirement names; its range says which version, the best one is shown."""
    reference = parse_reference(text.partition("@")[0])
    if reference.path is None or not reference.path.is_library:
        return None
    resolver = analysis.check.resolver
    entry = resolver.entry(reference.path, None)
    if entry is None:
        standard = resolver.standard.get(reference.path, ())
        entry = standard[-1] if standard else None
    return None if entry is None else Referent(callee=Callee(str(entry.path), entry.version, entry.signature, entry))


def _entry(cursor: Cursor, analysis: Analysis) -> Referent | None:
    number = _block_number(cursor, analysis)
    places = (place for place in analysis.check.graph.places if place.block == number)
    node = next((place for place in places if place.node.id == cursor.slot.text), None)
    return None if node is None else Referent(node=node)


def _block_number(cursor: Cursor, analysis: Analysis) -> int:
    """The number of the cursor's block among the subgraphs, 0 where it is none of them."""
    blocks = analysis.document.blocks
    block = blocks[cursor.block] if cursor.block < len(blocks) else None
    return next((n for n, subgraph in enumerate(analysis.check.resolver.blocks) if subgraph is block), 0)


def references_to(wanted: Referent, analysis: Analysis) -> Iterator[Span]:
    """Every reference of a document that means the same."""
    graph = analysis.check.graph
    for link in graph.links:
        found = _known(link.target, link.reference, analysis)
        if found is not None and _is_same(found, wanted):
            yield analysis.check.span_of(link)


def calls_of(path: str, document: Document) -> Iterator[Span]:
    """Every reference of a document to a library path, whatever its version."""
    for block in document.subgraphs:
        for node in block.nodes:
            for _, place, reference in references_of(node):
                if reference.path is not None and str(reference.path) == path:
                    yield reference.span if reference.span != NOWHERE else node.at(*place)


def _is_same(found: Referent, wanted: Referent) -> bool:
    if found.callee is not None and wanted.callee is not None:
        return found.callee.path == wanted.callee.path
    if found.node is not None and wanted.node is not None:
        return found.node.number == wanted.node.number
    return found.system is not None and found.system == wanted.system
