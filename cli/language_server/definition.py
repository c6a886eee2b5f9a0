"""Go to definition, find references, and the symbols of a document."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from agentic_dsl.ast import Block, Contract, Meta, Opaque, Resources, Subgraph
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor
from agentic_dsl.cli.language_server.describe import tools_of
from agentic_dsl.cli.language_server.names import origins
from agentic_dsl.cli.language_server.targets import Referent, referent_at
from agentic_dsl.compiler.library import LibraryEntry, entries_of
from agentic_dsl.compiler.resolution import Callee
from agentic_dsl.node_table import AnyNode
from agentic_dsl.span import NOWHERE, Source, Span

Found = tuple[Source | None, Span]
"""A text, None for the document itself, and a place in it."""


def definition(cursor: Cursor, analysis: Analysis) -> list[Found]:
    """Where the thing under a cursor is defined.

    Args:
        cursor: in the text as it is.
        analysis: the same document, readable.
    """
    if cursor.is_value and (name := cursor.template) is not None:
        place = cursor.place(analysis.check)
        if place is None:
            return []
        word = cursor.analysis.text[name.start : name.end]
        return [(None, span) for span in dict.fromkeys(o.span for o in origins(analysis, place, word))]
    found = referent_at(cursor, analysis)
    if found is not None:
        where = found.where
        return [] if where is None else [where]
    if cursor.is_node and cursor.is_value and cursor.keys == ("tool",):
        known = tools_of(analysis.document, ()).get(cursor.slot.text)
        return [(None, known.span)] if known is not None and known.span != NOWHERE else []
    return []


def wanted_at(cursor: Cursor, analysis: Analysis) -> Referent | None:
    """What references are looked for: what a reference names, or the node whose id stands here."""
    if cursor.is_node and cursor.keys == ("id",):
        place = cursor.place(analysis.check)
        return None if place is None else Referent(node=place)
    return referent_at(cursor, analysis)


def entry_at(analysis: Analysis, offset: int) -> Referent | None:
    """The block whose heading holds an offset: a library entry, or a subgraph, which stands for its first node."""
    for entry in entries_of(analysis.document):
        if _holds(entry.block.path_span, offset):
            return Referent(callee=_callee(entry))
    resolver = analysis.check.resolver
    for number, block in enumerate(resolver.blocks):
        first = resolver.entry_nodes[number]
        if _holds(block.path_span, offset) and first is not None:
            return Referent(node=resolver.places[first], block=block)
    return None


def _callee(entry: LibraryEntry) -> Callee:
    return Callee(str(entry.path), entry.version, entry.signature, entry)


def symbols(analysis: Analysis) -> list[types.DocumentSymbol]:
    """The blocks of a document with their nodes."""
    return [_block(analysis, block) for block in analysis.document.blocks]


def _block(analysis: Analysis, block: Block) -> types.DocumentSymbol:
    kind, detail = _kind(block)
    positions = analysis.positions
    return types.DocumentSymbol(
        name=str(block.path or "?"),
        kind=kind,
        range=positions.range(block.span),
        selection_range=positions.range(_within(block.path_span, block.span)),
        detail=detail,
        children=[_node(analysis, block, node) for node in _nodes(block)],
    )


def _kind(block: Block) -> tuple[types.SymbolKind, str]:
    match block:
        case Meta():
            return types.SymbolKind.Module, "application"
        case Resources():
            return types.SymbolKind.Package, "resources"
        case Contract():
            return types.SymbolKind.Interface, "contract"
        case Opaque():
            return types.SymbolKind.Null, "not readable"
        case Subgraph():
            return types.SymbolKind.Class, "subgraph"


def _nodes(block: Block) -> Iterator[AnyNode]:
    if isinstance(block, Subgraph) and not block.single:
        yield from block.nodes


def _node(analysis: Analysis, block: Block, node: AnyNode) -> types.DocumentSymbol:
    span = _within(node.span, block.span)
    positions = analysis.positions
    return types.DocumentSymbol(
        name=node.id or "?",
        kind=types.SymbolKind.Function if node.spec.has_edges else types.SymbolKind.Property,
        range=positions.range(span),
        selection_range=positions.range(_within(node.at("id"), span)),
        detail=node.type,
    )


def _within(inner: Span, outer: Span) -> Span:
    """A span, cut to another: editors refuse symbols whose name stands outside of them."""
    start = min(max(inner.start, outer.start), outer.end)
    return Span(start, max(start, min(inner.end, outer.end)))


def _holds(span: Span, offset: int) -> bool:
    return span != NOWHERE and span.start <= offset <= span.end
