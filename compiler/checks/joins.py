"""Rules 5 and 10: what leads into a join, and what it does with values that collide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from agentic_dsl import codes
from agentic_dsl.ast import MERGE_STRATEGIES
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import SOURCES, WAIT_FOR, Edge, EdgeKind, Link
from agentic_dsl.compiler.guards import Begin, Outcome
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.compiler.versions import Clash
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Join
from agentic_dsl.span import Span

DEFAULT_STRATEGY = "error_on_conflict"
"""What a join does unless something says otherwise."""

_ORDER_DEPENDENT = "last_write_wins"


def check_joins(context: CheckContext) -> Iterator[Diagnostic]:
    """Every in-edge of a join is a flow edge, all are taken together, and ``wait_for`` names their sources."""
    for place in context.graph.places:
        if isinstance(place.node, Join):
            yield from _check_jumps(context, place)
            yield from _check_sources(context, place)
            yield from _check_guards(context, place)


def _check_jumps(context: CheckContext, place: Place) -> Iterator[Diagnostic]:
    for edge in context.graph.incoming[place.number]:
        if edge.kind is EdgeKind.JUMP:
            source = context.graph.places[edge.source].node
            yield codes.JOIN_JUMP_EDGE.at(
                edge_span(context, edge),
                f'node "{source.id}" jumps to join "{place.node.id}" when it fails',
                help="jump to another node, or to an end",
            )


def _check_sources(context: CheckContext, place: Place) -> Iterator[Diagnostic]:
    graph = context.graph
    links = [link for link in graph.links_of[place.number] if link.field in (SOURCES, WAIT_FOR)]
    if place.number in context.broken or place.number not in graph.reachable:
        return
    incoming = {edge.source: edge for edge in graph.incoming[place.number] if edge.kind is EdgeKind.FLOW}
    if any(link.target.kind is TargetKind.ALL for link in links) or not links:
        if not graph.incoming[place.number]:
            yield codes.JOIN_WAIT_FOR.at(
                context.id_span(place),
                f'no node leads to join "{place.node.id}"',
                help="name its sources in join.wait_for",
            )
        return
    named = {link.target.node for link in links if link.target.kind is TargetKind.NODE}
    for link in links:
        if link.target.kind is TargetKind.NODE and link.target.node not in incoming:
            yield from _not_leading(context, place, link)
    if all(link.target.is_known for link in links):
        for index in incoming:
            if index not in named:
                source = graph.places[index].node
                # The list is where the help wants the name, and what was changed last, as a rule.
                yield codes.JOIN_WAIT_FOR.at(
                    place.node.at(*links[0].path[:-1]),
                    f'node "{source.id}" leads to join "{place.node.id}", which does not wait for it',
                    help=f'name "{source.id}" in the wait_for of "{place.node.id}"',
                )


def _not_leading(context: CheckContext, place: Place, link: Link) -> Iterator[Diagnostic]:
    source = context.graph.places[link.target.node]
    if source.node.spec.is_end or not source.node.spec.has_edges:
        return  # `references` says so
    if source.number in context.graph.loose or source.number in context.broken:
        return  # it may lead here by the reference that is wrong
    yield codes.JOIN_WAIT_FOR.at(
        context.span_of(link),
        f'join "{place.node.id}" waits for "{source.node.id}", which does not lead to it',
        help=f'name "{place.node.id}" in the next of "{source.node.id}", or do not wait for it',
    )


def _check_guards(context: CheckContext, place: Place) -> Iterator[Diagnostic]:
    """One finding for each join whose in-edges are not all taken under the same condition."""
    edges = context.graph.incoming[place.number]
    if any(edge.kind is EdgeKind.JUMP for edge in edges):
        return  # the jump is the mistake
    guards = [context.guards.of_edge(edge) for edge in edges]
    if len(set(guards)) <= 1 or None in guards:
        return
    first = edges[0]
    other = next(edge for edge, guard in zip(edges, guards, strict=True) if guard != guards[0])
    names = [context.graph.places[edge.source].node.id for edge in (first, other)]
    reason, remedy = _why(context, first, other)
    if names[0] == names[1]:
        message = f'join "{place.node.id}" is entered twice by "{names[0]}", not always both times'
    else:
        message = f'join "{place.node.id}" waits for "{names[0]}" and "{names[1]}", which do not always both lead to it'
    yield codes.JOIN_GUARDS.at(context.id_span(place), message + reason, help=remedy)


def _why(context: CheckContext, first: Edge, other: Edge) -> tuple[str, str]:
    """What makes the conditions differ, and what to do."""
    trie = context.guards.trie
    one, two = context.guards.of_edge(first), context.guards.of_edge(other)
    if one is None or two is None:
        return "", ""
    shared = trie.depths[trie.common(one, two)]
    atoms = (*trie.sequence(one)[shared:], *trie.sequence(two)[shared:])
    for atom in atoms:
        if isinstance(atom, Outcome):
            name = context.graph.places[atom.node].node.id
            return (
                f': "{name}" may fail and go another way',
                f'lead the failure of "{name}" to an end such as "/__system__/end_soft"',
            )
        if isinstance(atom, Begin):
            return ": they belong to different runs", "wait only for nodes of one run"
    return "", "wait only for nodes that run under the same condition"


def edge_span(context: CheckContext, edge: Edge) -> Span:
    """The place of the reference that makes an edge."""
    if edge.reference.span.end:
        return edge.reference.span
    holder = edge.target if edge.restated else edge.source
    return context.graph.places[holder].node.at(*edge.path)


def check_merges(context: CheckContext) -> Iterator[Diagnostic]:
    """Two in-edges of a join that bring different values of one name need a strategy that allows it."""
    for number, clashes in context.clashes.at.items():
        place = context.graph.places[number]
        for clash in clashes:
            if isinstance(place.node, Join) and strategy_for(context, place.node, clash.name) == DEFAULT_STRATEGY:
                yield _conflict(context, place, clash)
    unjudged = context.clashes.unjudged
    if unjudged is not None:
        place = context.graph.places[unjudged]
        yield codes.MERGE_LIMIT.at(
            context.id_span(place),
            f'from node "{place.node.id}" on so many names are written more than once that their joins are not judged',
            help="split the document",
        )


def _conflict(context: CheckContext, place: Place, clash: Clash) -> Diagnostic:
    one, two = (context.graph.places[edge.source].node.id for edge in (clash.first, clash.other))
    node = place.node
    return codes.MERGE_CONFLICT.at(
        node.at("join", "merge_strategy")
        if node.spans.values.get(("join", "merge_strategy"))
        else context.id_span(place),
        f'join "{node.id}" gets different values of "{clash.name}" from "{one}" and "{two}"',
        help="write to different names, or set join.merge_strategy to deep_merge, array_concat or array_merge_unique",
    )


def strategy_for(context: CheckContext, join: Join, name: str) -> str:
    """What a join does with values of ``name`` that collide: by its policy, itself, the application or the default."""
    for pattern, strategy in join.context_merge_policy.items():
        if _matches(pattern, name):
            return strategy
    meta = context.application
    return join.merge_strategy or (meta.context_merge_strategy if meta else None) or DEFAULT_STRATEGY


def _matches(pattern: str, name: str) -> bool:
    """Whether a field pattern (``$.results.*``, ``plan_*``) speaks of a name or of something below it."""
    plain = pattern.removeprefix("$").removeprefix(".")
    return fnmatchcase(name, plain) or fnmatchcase(name, plain.split(".", 1)[0])


def check_strategies(context: CheckContext) -> Iterator[Diagnostic]:
    """Merge strategies are ones of the language, and ``last_write_wins`` stays out of production."""
    prod, meta = context.in_production, context.application
    if meta is not None and prod and meta.context_merge_strategy == _ORDER_DEPENDENT:
        yield _order_dependent(meta.at("context_merge_strategy"), "the application")
    for place in context.graph.places:
        node = place.node
        if prod and isinstance(node, Join) and node.merge_strategy == _ORDER_DEPENDENT:
            yield _order_dependent(node.at("join", "merge_strategy"), f'join "{node.id}"')
        yield from _check_policy(node.context_merge_policy, place, prod)


def _check_policy(policy: Mapping[str, str], place: Place, prod: bool) -> Iterator[Diagnostic]:
    for pattern, strategy in policy.items():
        span = place.node.at("context_merge_policy", pattern)
        if strategy not in MERGE_STRATEGIES:
            yield codes.WRONG_VALUE.at(
                span,
                f'node "{place.node.id}" merges "{pattern}" by "{strategy}", which is no strategy',
                help=f"use one of: {', '.join(MERGE_STRATEGIES)}",
            )
        elif prod and strategy == _ORDER_DEPENDENT:
            yield _order_dependent(span, f'node "{place.node.id}"')


def _order_dependent(span: Span, who: str) -> Diagnostic:
    return codes.MERGE_STRATEGY_MODE.at(
        span,
        f"{who} merges by last_write_wins, which is not allowed in prod mode",
        help="use another strategy, or set mode: dev in /__meta__",
    )
