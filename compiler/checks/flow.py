"""Rules 3 and 4: no circles, nothing unreachable, nothing that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import BRANCHES, NEXT, EdgeKind, Link
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Fork, Join, UnknownNode
from agentic_dsl.span import NOWHERE

_SHOWN = 6
"""Nodes of a circle that a message names."""

_COUNTED = 50
"""With more unreachable nodes than this, what lies behind each is not counted: it would take quadratic time."""


def check_cycles(context: CheckContext) -> Iterator[Diagnostic]:
    """The graph of all edges is acyclic; one finding for each group of nodes that wait for each other."""
    graph = context.graph
    for circle in graph.cycles:
        names = [graph.places[edge.source].node.id for edge in circle]
        back = max(circle, key=lambda edge: edge.source - edge.target)
        span = back.reference.span
        if span == NOWHERE:
            holder = graph.places[back.target if back.restated else back.source].node
            span = holder.at(*back.path)
        yield codes.CYCLE.at(span, _circle(names), help=_remedy(len(names)))


def _circle(names: list[str]) -> str:
    """``node "b" waits for "c", which waits for "b"``: each node of the circle waits for the one before it."""
    if len(names) == 1:
        return f'node "{names[0]}" waits for itself'
    waiting = [names[0], *reversed(names[1:])]
    shown = waiting[1:]
    if len(shown) > _SHOWN:
        left_out = len(shown) - _SHOWN
        chain = ", which waits for ".join(f'"{name}"' for name in shown[: _SHOWN // 2])
        rest = ", which waits for ".join(f'"{name}"' for name in (*shown[-_SHOWN // 2 :], names[0]))
        return f'node "{names[0]}" waits for {chain}, and so on through {left_out} more nodes to {rest}'
    chain = ", which waits for ".join(f'"{name}"' for name in (*shown, names[0]))
    return f'node "{names[0]}" waits for {chain}'


def _remedy(count: int) -> str:
    if count == 1:
        return "drop the reference"
    return "drop one of the two references" if count == 2 else f"drop one of the {count} references"


def check_reachability(context: CheckContext) -> Iterator[Diagnostic]:
    """A path leads to every node. Of several unreachable nodes in a row, the first is named."""
    graph = context.graph
    if len(graph.reachable) == len(graph.places):
        return
    silent = _groups_with_gaps(context)
    unreachable = [
        place
        for place in graph.places
        if place.number not in graph.reachable
        and place.node.spec.has_edges
        and context.resolver.ids[place.block].get(place.node.id) == place.number
        and graph.group[place.block] not in silent
        and context.resolver.entry_nodes[place.block] is not None
    ]
    if not unreachable:
        return
    lost = {place.number for place in unreachable}
    heads = [place for place in unreachable if not any(edge.source in lost for edge in graph.incoming[place.number])]
    for place in heads:
        after = len(graph.reach({place.number}) & lost) - 1 if len(heads) <= _COUNTED else 0
        entry = context.resolver.entry_nodes[place.block]
        first = graph.places[entry].node.id if entry is not None else ""
        message = f'no path leads from "{first}" to node "{place.node.id}"'
        if after:
            message += f" and the {after} after it" if after > 1 else " and the one after it"
        yield codes.UNREACHABLE.at(
            context.id_span(place), message, help=f'name "{place.node.id}" in the next of another node, or drop it'
        )


def _groups_with_gaps(context: CheckContext) -> frozenset[int]:
    """Groups of blocks in which some edge or node is not known, so that what seems unreachable may not be."""
    graph = context.graph
    gaps = {graph.places[index].block for index in (graph.loose | context.broken) if index in graph.reachable}
    gaps |= context.incomplete
    return frozenset(graph.group[block] for block in gaps)


def check_successors(context: CheckContext) -> Iterator[Diagnostic]:
    """Every node but an end or a resource leads on; those lead nowhere."""
    graph = context.graph
    for place in graph.places:
        node, links = place.node, graph.links_of[place.number]
        if node.spec.is_end or not node.spec.has_edges:
            if links and not (node.spec.is_end and all(link.field == "wait_for" for link in links)):
                yield _leads_on(context, place, links)
        elif isinstance(node, Fork):
            yield from _check_fork(context, place, node)
        elif not (
            any(link.field == NEXT for link in links)
            or any(edge.kind is EdgeKind.FLOW for edge in graph.outgoing[place.number])
            or place.number in context.broken
            or isinstance(node, UnknownNode)
        ):
            yield codes.NO_SUCCESSOR.at(
                context.id_span(place),
                f'node "{node.id}" leads nowhere',
                help='add next with the node to go to, or with an end such as "/__system__/end_soft"',
            )


def _leads_on(context: CheckContext, place: Place, links: tuple[Link, ...]) -> Diagnostic:
    first = next(link for link in links if link.field != "wait_for" or not place.node.spec.is_end)
    what = "an end" if place.node.spec.is_end else f"a {place.node.type}"
    return codes.END_HAS_SUCCESSOR.at(
        context.span_of(first),
        f'node "{place.node.id}" is {what} and names "{first.reference}" in {first.field}',
        help=f"drop {first.field}",
    )


def _check_fork(context: CheckContext, place: Place, node: Fork) -> Iterator[Diagnostic]:
    """A fork has branches; its ``next`` may only name its join."""
    graph = context.graph
    if not node.branches and place.number not in context.broken:
        yield codes.NO_SUCCESSOR.at(
            context.id_span(place), f'fork "{node.id}" has no branches', help="name the nodes to start in fork.branches"
        )
    for link in graph.links_of[place.number]:
        if link.field != NEXT or not link.target.is_known:
            continue
        if link.target.kind is TargetKind.NODE and isinstance(graph.places[link.target.node].node, Join):
            continue
        yield codes.FIELD_NOT_ALLOWED.at(
            context.span_of(link),
            f'fork "{node.id}" goes on to "{link.reference}", but a fork only starts its branches',
            help=f'name "{link.reference}" in {BRANCHES}, or in the next of a branch',
        )
