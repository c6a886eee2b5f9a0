"""What the caller of a generation asked for: a generated document is held to its `Constraints`.

`budgets` counts the nodes, `tools` holds arguments to the schemas, `contracts` looks for the required outputs and
`generated_form` at the form of the text; the rest stands here. Without constraints these rules are silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.checks.budgets import counted
from agentic_dsl.compiler.checks.context import CheckContext, read_signature
from agentic_dsl.compiler.checks.generated_form import is_word
from agentic_dsl.compiler.checks.permissions import Held, describe, span_of
from agentic_dsl.compiler.edges import Link
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.constraints import Constraints
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import ToolCall
from agentic_dsl.paths import GENERATED_END, Version
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Signature
from agentic_dsl.span import Span


def check_blocks(context: CheckContext) -> Iterator[Diagnostic]:
    """The answer is subgraphs at the path asked for, as many as asked for, with the signature asked for."""
    constraints = context.constraints
    if constraints is None:
        return
    for block in context.document.blocks:
        if not isinstance(block, Subgraph):
            yield codes.NOT_GENERATED_FORM.at(
                block.path_span, f'"{block.path}" is no subgraph', help="generate subgraphs only"
            )
    blocks = context.resolver.blocks
    if not blocks:
        yield codes.INCOMPLETE.at(
            Span(0, 0), "the text holds no subgraph", help=f'write a subgraph at "{constraints.path}"'
        )
        return
    for block in blocks[constraints.max_subgraphs :]:
        yield codes.TOO_MANY_SUBGRAPHS.at(
            block.path_span,
            f"there are {len(blocks)} subgraphs; max_subgraphs is {constraints.max_subgraphs}",
            help=f'drop "{block.path}"',
        )
    for number, block in enumerate(blocks):
        yield from _check_block(block, number, constraints)


def _check_block(block: Subgraph, number: int, constraints: Constraints) -> Iterator[Diagnostic]:
    wanted = constraints.block_path
    below = number and block.path.parent == wanted and is_word(block.path.name, constraints)
    if not below and (number or block.path != wanted):
        yield codes.OTHER_PATH.at(
            block.path_span,
            f'"{block.path}" was generated, "{wanted}" was asked for',
            help=f'write to "{wanted}"' + (f' or a word below it, as "{wanted}/next"' if number else ""),
        )
    if number and (other := _covered(block, constraints)) is not None:
        yield codes.OTHER_PATH.at(
            block.path_span,
            f'"{block.path}" stands in the place of "{other}", which may be referred to',
            help="choose another word",
        )
    yield from _check_signature(block, number, constraints)


def _covered(block: Subgraph, constraints: Constraints) -> str | None:
    """A target or library that stands where a block does, or below it."""
    named = (*constraints.targets, *(spec.path for spec in constraints.libraries))
    return next((name for name in named if f"{re.split('[?@]', name)[0]}/".startswith(f"{block.path}/")), None)


def _check_signature(block: Subgraph, number: int, constraints: Constraints) -> Iterator[Diagnostic]:
    """The first block has the signature asked for; a further one has none, but under ``/lib`` one of its own."""
    if block.path.is_library and (number or constraints.signature is None):
        return
    wanted: Signature | None = None
    if constraints.signature is not None and not number:
        wanted = read_signature(constraints.signature)
        if wanted is None:
            yield codes.BAD_SIGNATURE.at(
                block.at("signature"),
                f'the signature asked for, "{constraints.signature}", cannot be read',
                help="correct the signature of the constraints",
            )
            return
    if block.signature != wanted:
        asked = f'"{constraints.signature}" was' if wanted is not None else "none was"
        yield codes.OTHER_SIGNATURE.at(
            block.at("signature"),
            f'the signature of "{block.path}" is not the one asked for: {asked}',
            help=f'write signature: "{constraints.signature}"' if wanted is not None else "drop the signature",
        )


def check_count(context: CheckContext) -> Iterator[Diagnostic]:
    """There are no fewer nodes than asked for."""
    constraints = context.constraints
    if constraints is not None and context.resolver.blocks and len(counted(context)) < constraints.min_nodes:
        yield codes.TOO_FEW_NODES.at(
            context.resolver.blocks[-1].path_span,
            f"there are {len(counted(context))} nodes; min_nodes is {constraints.min_nodes}",
            help="add nodes",
        )


def check_allowed(context: CheckContext) -> Iterator[Diagnostic]:
    """Types, tools, libraries and targets are among those that the caller allows."""
    constraints = context.constraints
    if constraints is None:
        return
    tools = None if constraints.tools is None else {tool.name for tool in constraints.tools}
    for place in context.graph.places:
        node = place.node
        types = constraints.allowed_node_types
        if not node.spec.generated:
            yield codes.TYPE_NOT_ALLOWED.at(
                node.at("type"), f'node "{node.id}" is a {node.type}, which is never generated', help="use another type"
            )
        elif types is not None and node.type not in types:
            yield codes.TYPE_NOT_ALLOWED.at(
                node.at("type"),
                f'node "{node.id}" is a {node.type}, which is not allowed here',
                help=f"use one of: {', '.join(types)}",
            )
        if tools is not None and isinstance(node, ToolCall) and node.tool not in tools:
            yield codes.TOOL_NOT_ALLOWED.at(
                node.at("tool"),
                f'node "{node.id}" calls the tool "{node.tool}", which is not allowed here',
                help=context.suggester.help(
                    node.tool, tools, f"call one of: {', '.join(sorted(tools)[:20])}" if tools else "call no tool"
                ),
            )
    targets = frozenset(constraints.targets)
    libraries = [(spec.path, parse_version(spec.version) if spec.version else None) for spec in constraints.libraries]
    for link in context.graph.links:
        if (reason := _refused(link, libraries, targets) or _leaves_block(context, link)) is not None:
            yield codes.TARGET_NOT_ALLOWED.at(
                context.span_of(link),
                f'node "{context.graph.places[link.source].node.id}" refers to "{link.reference}", {reason}',
                help=f'end at "{GENERATED_END}", or name a node of the subgraph',
            )


def _refused(link: Link, libraries: list[tuple[str, Version | None]], targets: frozenset[str]) -> str | None:
    """Why a reference is not allowed, None where it is. A library without a version is allowed in all of them."""
    text = link.reference.text
    match link.target.kind:
        case TargetKind.CALL:
            call = link.target.call
            if call is None or any(
                path == call.path and (version is None or version.matches(call.version)) for path, version in libraries
            ):
                return None
            if call.path in targets or text in targets:
                return None
            return "a library that is not allowed here"
        case TargetKind.SYSTEM if text != GENERATED_END and text not in targets:
            return "an end that is not allowed here"
        case TargetKind.TEMPLATE:
            return "which is only known at run time"
        case _:
            return None


def _leaves_block(context: CheckContext, link: Link) -> str | None:
    """The blocks of an answer stand alone: a run of one does not go on in another (decision 0009)."""
    places = context.graph.places
    if link.target.kind is not TargetKind.NODE or places[link.target.node].block == places[link.source].block:
        return None
    return "which stands in another block"


def check_granted(context: CheckContext) -> Iterator[Diagnostic]:
    """A block asks for no permission that the caller did not grant."""
    constraints = context.constraints
    if constraints is None:
        return
    granted = Held(p for text in constraints.permissions if isinstance(p := parse_permission(text), Permission))
    for block in context.resolver.blocks:
        for position, asked in enumerate(block.permissions):
            if not granted.cover(asked):
                yield codes.PERMISSION_NOT_GRANTED.at(
                    span_of(asked, block.at("permissions", position)),
                    f'"{block.path}" asks for {describe(asked)}, which was not granted',
                    help="drop it",
                )
