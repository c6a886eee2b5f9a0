"""Namespaces and layers (``language.md`` §2 and §3): who may write where, and with which node types."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import Block, Contract, Meta, Opaque, Resources, Subgraph
from agentic_dsl.compiler.checks.context import CheckContext, holds_one
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.edges import Link
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import GenerateSubgraph
from agentic_dsl.paths import NAMESPACES, Layer, Path

_RESERVED = "__"
_GENERATES_ONLY_IN = ("lib", "dslgraph")
_OLD_GENERATE = "llm_generate_dsl"

ROOTS = tuple(dict.fromkeys(f"/{namespace.prefix[0]}" for namespace in NAMESPACES if not namespace.reserved))
"""The namespaces that people may write in."""


def check_namespaces(context: CheckContext) -> Iterator[Diagnostic]:
    """Every block stands in a namespace that its author may write in."""
    unread = sorted(d.span.start for d in context.document.diagnostics if d.kind is codes.BAD_SIGNATURE)
    for block in context.document.blocks:
        if isinstance(block, Opaque):
            continue
        if not isinstance(block, Meta | Resources):
            yield from _check_path(context, block)
        if block.path.is_library:
            yield from _check_library(context, block, has_unread=holds_one(block.span, unread))


def _check_path(context: CheckContext, block: Subgraph | Contract) -> Iterator[Diagnostic]:
    namespace, segments = block.path.namespace, block.path.segments
    if namespace is None:
        yield codes.NAMESPACE.at(
            block.path_span,
            f'"{block.path}" stands in no namespace of the language',
            help=f"use a path under one of: {', '.join(ROOTS)}",
            severity=context.doubtful,
        )
    elif segments[0] in context.disabled_namespaces:
        yield codes.NAMESPACE_DISABLED.at(
            block.path_span, f'"{block.path}" stands under /{segments[0]}, which is switched off', help="use /main"
        )
    reserved = next((segment for segment in segments if segment.startswith(_RESERVED)), None)
    if reserved is not None:
        yield codes.RESERVED_NAME.at(
            block.path_span,
            f'"{block.path}" holds "{reserved}", a name that the runtime keeps for itself',
            help="choose a name that does not begin with __",
        )


def _check_library(context: CheckContext, block: Block, *, has_unread: bool) -> Iterator[Diagnostic]:
    """A library has a signature, unless it has one that the parser could not read; it stands in a file of its own."""
    if isinstance(block, Subgraph) and block.signature is None and not has_unread:
        yield codes.SIGNATURE_REQUIRED.at(
            block.path_span,
            f'library "{block.path}" has no signature',
            help="add signature with its inputs and outputs",
        )
    if context.application is not None and isinstance(block, Subgraph | Contract):
        yield codes.NAMESPACE.at(
            block.path_span,
            f'an application defines the library "{block.path}" in its own document',
            help="move it to a library file, which has no /__meta__",
            severity=Severity.WARNING,
        )


def check_names(context: CheckContext) -> Iterator[Diagnostic]:
    """Ids that begin with ``__`` belong to the runtime; subgraphs are generated under ``/dynamic`` only."""
    for place in context.graph.places:
        node = place.node
        if node.id.startswith(_RESERVED) and not place.subgraph.single:
            yield codes.RESERVED_NAME.at(
                context.id_span(place),
                f'"{node.id}" is a name that the runtime keeps for itself',
                help="choose an id that does not begin with __",
            )
        if isinstance(node, GenerateSubgraph) and (prefix := node.namespace_prefix) is not None:
            fixed = prefix.split("{{", 1)[0]
            if not (fixed == "/dynamic" or fixed.startswith("/dynamic/") or (not fixed and is_template(prefix))):
                yield codes.NAMESPACE.at(
                    node.at("namespace_prefix"),
                    f'node "{node.id}" generates into "{prefix}", but generation may only write /dynamic',
                    help="begin namespace_prefix with /dynamic/",
                )


def check_layers(context: CheckContext) -> Iterator[Diagnostic]:
    """Layer-3 libraries reach out through contracts only; ``llm_generate_dsl`` stays under ``/lib/dslgraph``."""
    knowledge = tuple(_is_knowledge(block.path) for block in context.resolver.blocks)
    for place in context.graph.places:
        node = place.node
        if knowledge[place.block]:
            yield from _check_knowledge(context, place)
        elif node.spelling == _OLD_GENERATE and not place.subgraph.path.under(*_GENERATES_ONLY_IN):
            yield codes.LAYER.at(
                node.at("type"),
                f'node "{node.id}" is a {_OLD_GENERATE}, which is allowed under /lib/dslgraph only',
                help="use generate_subgraph, or call /lib/dslgraph/generate@v1",
                severity=context.doubtful,
            )


def _is_knowledge(path: Path) -> bool:
    return path.namespace is not None and path.namespace.layer is Layer.KNOWLEDGE


def _check_knowledge(context: CheckContext, place: Place) -> Iterator[Diagnostic]:
    node, path = place.node, place.subgraph.path
    if node.spec.reaches_out:
        yield codes.LAYER.at(
            node.at("type"),
            f'node "{node.id}" is a {node.type}, which "{path}" of the knowledge layer must not use',
            help="call a library under /lib that does it",
        )
    for link in context.graph.links_of[place.number]:
        if _leaves_libraries(context, link):
            yield codes.LAYER.at(
                context.span_of(link),
                f'node "{node.id}" of the library "{path}" goes to "{link.reference}", which is no library',
                help="refer to nodes of the library, to ends and to /lib only",
            )


def _leaves_libraries(context: CheckContext, link: Link) -> bool:
    if link.target.kind is TargetKind.NODE:
        return not context.graph.places[link.target.node].subgraph.path.is_library
    path = link.reference.path
    return link.target.kind is TargetKind.OUTSIDE and path is not None and not path.is_library
