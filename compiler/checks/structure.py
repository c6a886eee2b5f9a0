"""Rule 1 and the shape of blocks: ids, paths, entries, node types."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import BlockBase, Contract, Meta, Resources, Subgraph
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.library import DEFAULT_VERSION
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import DEPRECATED_TYPES, NODE_TABLE, Fork, ResourceDeclare, Start, UnknownNode
from agentic_dsl.paths import Path, ReferenceKind


def check_ids(context: CheckContext) -> Iterator[Diagnostic]:
    """Ids are unique in their subgraph."""
    for place in context.graph.places:
        first = context.resolver.ids[place.block][place.node.id]
        if first != place.number:
            yield codes.DUPLICATE_ID.at(
                context.id_span(place),
                f'two nodes of "{place.subgraph.path}" have the id "{place.node.id}"',
                help="give one of them another id",
            )


def check_paths(context: CheckContext) -> Iterator[Diagnostic]:
    """Block paths are unique by major version, in the document and across the library."""
    seen: set[tuple[Path, int]] = set()
    for block in context.document.blocks:
        path: Path | None = block.path
        if path is None:
            continue
        major = _major(block)
        if (path, major) in seen:
            message = f'two blocks have the path "{path}"'
            if path.is_library:
                message += f" and the major version {major}"
            reserved = isinstance(block, Meta | Resources)
            help_ = "make one block of the two" if reserved else "give one of them another path"
            yield codes.DUPLICATE_PATH.at(block.path_span, message, help=help_)
            continue
        seen.add((path, major))
        for entry in context.entries.get(path, ()) if path.is_library else ():
            if entry.version.major == major:
                where = entry.document.source.path
                yield codes.DUPLICATE_PATH.at(
                    block.path_span,
                    f'the library defines "{block.path}" version {major} too' + (f', in "{where}"' if where else ""),
                    help="rename the block, or give it another major version",
                )


def _major(block: BlockBase) -> int:
    if isinstance(block, Subgraph | Contract) and block.path.is_library:
        return (block.version or DEFAULT_VERSION).major
    return 0


def check_entries(context: CheckContext) -> Iterator[Diagnostic]:
    """Every subgraph has nodes and an entry among them; ``start`` occurs at most once and is then the entry."""
    for number, block in enumerate(context.resolver.blocks):
        if not block.nodes:
            if number not in context.incomplete:
                yield codes.EMPTY_SUBGRAPH.at(
                    block.at("nodes"), f'"{block.path}" has no nodes', help="add at least one node"
                )
            continue
        entry = context.resolver.entry_nodes[number]
        yield from _check_entry(context, number, block)
        starts = [node for node in block.nodes if isinstance(node, Start)]
        for start in starts[1:]:
            yield codes.MISPLACED_START.at(
                start.at("type"),
                f'"{start.id}" is the second start node of "{block.path}"',
                help=f'keep one start node, such as "{starts[0].id}"',
            )
        if starts and entry is not None and context.graph.places[entry].node.id != starts[0].id:
            yield codes.MISPLACED_START.at(
                starts[0].at("type"),
                f'"{starts[0].id}" is a start node, but "{block.path}" begins at "{block.entry_id}"',
                help=f'make "{starts[0].id}" the entry, or drop it',
            )


def _check_entry(context: CheckContext, number: int, block: Subgraph) -> Iterator[Diagnostic]:
    if block.entry is None:
        return
    index = context.resolver.ids[number].get(block.entry)
    if index is None:
        if number not in context.incomplete:
            yield codes.UNKNOWN_ENTRY.at(
                block.at("entry"),
                f'"{block.path}" begins at "{block.entry}", which is none of its nodes',
                help=context.suggester.help(block.entry, context.resolver.ids[number], "name one of its nodes"),
            )
    elif not context.graph.places[index].node.spec.has_edges:
        yield codes.UNKNOWN_ENTRY.at(
            block.at("entry"),
            f'"{block.path}" begins at "{block.entry}", which is a {context.graph.places[index].node.type}',
            help="name a node that runs",
        )


def check_entry_point(context: CheckContext) -> Iterator[Diagnostic]:
    """An application names where it begins."""
    meta = context.application
    if meta is None:
        return
    reference = meta.entry_point
    if reference is None:
        if not any(d.is_error and _in(d, meta) for d in context.document.diagnostics):
            yield codes.MISSING_ENTRY_POINT.at(
                meta.path_span, "the application names no entry point", help="add entry_point with the path of a block"
            )
        return
    if reference.kind is ReferenceKind.INVALID:
        return
    if reference.kind is ReferenceKind.PATH and context.resolver.blocks:
        target = context.resolver.resolve(reference, 0)
        own = target.call is not None and target.call.entry is not None and context.is_same(target.call.entry.document)
        if target.kind is TargetKind.NODE or own or target.kind is TargetKind.OUTSIDE:
            return
    yield codes.MISSING_ENTRY_POINT.at(
        meta.at("entry_point"),
        f'the entry point "{reference}" is neither a block nor a node of this document',
        help=context.suggester.help(reference.text, context.resolver.own_names, "name a block of this document"),
    )


def _in(diagnostic: Diagnostic, block: BlockBase) -> bool:
    return block.span.start <= diagnostic.span.start < block.span.end


def check_types(context: CheckContext) -> Iterator[Diagnostic]:
    """Every node is of a type that the language has, and stands where it may."""
    known = (*NODE_TABLE, *DEPRECATED_TYPES)
    said = {d.span for d in context.document.diagnostics if d.kind is codes.UNKNOWN_TYPE}
    for place in context.graph.places:
        node = place.node
        match node:
            case UnknownNode() if node.at("type") not in said:
                yield codes.UNKNOWN_TYPE.at(
                    node.at("type"),
                    f'node "{node.id}" is of the type "{node.type_name}", which the language lacks',
                    help=context.suggester.help(node.type_name, known, f"use one of: {', '.join(NODE_TABLE)}"),
                    severity=context.doubtful,
                )
            case ResourceDeclare():
                yield codes.FIELD_NOT_ALLOWED.at(
                    node.at("type"),
                    f'node "{node.id}" is a resource_declare, which stands only in the block /__meta__/resources',
                    help="move its entries to /__meta__/resources",
                )
            case Fork() if len(node.branches) == 1:
                yield codes.FEW_BRANCHES.at(
                    node.at("fork", "branches"),
                    f'fork "{node.id}" has one branch',
                    help="add a branch, or use next on the node before it",
                )
            case _:
                pass
