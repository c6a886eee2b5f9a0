"""Rule 2: every reference resolves, and stands where its kind may stand."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import BRANCHES, NEXT, SOURCES, WAIT_FOR, Link
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import Fork
from agentic_dsl.paths import ReferenceKind, Version

_SHOWN_VERSIONS = 8
"""Versions of a library that a message names."""

_ENDS = (TargetKind.SYSTEM,)
_GOES_ON = (TargetKind.NODE, TargetKind.OUTSIDE)


def check_references(context: CheckContext) -> Iterator[Diagnostic]:
    """Every static reference names something; templates only where the mode allows them."""
    for link in context.graph.links:
        match link.target.kind:
            case TargetKind.NODE:  # first: nearly all are
                yield from _node(context, link)
            case TargetKind.MISSING:
                yield from _missing(context, link)
            case TargetKind.NO_VERSION:
                yield _no_version(context, link)
            case TargetKind.TEMPLATE:
                yield _template(context, link)
            case TargetKind.ALL if link.field != SOURCES or not _stands_alone(context, link):
                yield codes.BAD_REFERENCE.at(
                    context.span_of(link),
                    f'node "{_id(context, link)}" names "@all", which stands only for all sources of a join',
                    help="name the nodes, or use @all alone in join.wait_for",
                )
            case TargetKind.CALL if link.field != NEXT or isinstance(context.graph.places[link.source].node, Fork):
                yield codes.CALL_OUTSIDE_NEXT.at(
                    context.span_of(link),
                    f'node "{_id(context, link)}" calls the library "{link.reference}" in {link.field}',
                    help="name a node there, and call the library in the next of that node",
                )
            case _:
                pass


def _id(context: CheckContext, link: Link) -> str:
    return context.graph.places[link.source].node.id


def _stands_alone(context: CheckContext, link: Link) -> bool:
    """Whether a reference is the only one of its field."""
    return all(other is link or other.field != link.field for other in context.graph.links_of[link.source])


def _missing(context: CheckContext, link: Link) -> Iterator[Diagnostic]:
    reference = link.reference
    block = context.graph.places[link.source].block
    if _may_be_unread(context, link):
        return
    message = f'node "{_id(context, link)}" refers to "{reference}", which does not exist'
    if reference.kind is ReferenceKind.ID:
        help_ = context.suggester.help(reference.text, context.resolver.ids[block], "name a node of this subgraph")
    elif reference.path is not None and reference.path.is_library:
        message = f'node "{_id(context, link)}" calls "{reference}", which no library defines'
        help_ = context.suggester.help(str(reference.path), context.resolver.names, "add the library that defines it")
    else:
        help_ = context.suggester.help(reference.text, context.resolver.names, "name a node, a block or an end")
    yield codes.DANGLING.at(context.span_of(link), message, help=help_)


def _may_be_unread(context: CheckContext, link: Link) -> bool:
    """Whether the target may be one of the nodes that the parser could not read."""
    if not context.incomplete:
        return False
    if link.reference.kind is not ReferenceKind.PATH:
        return context.graph.places[link.source].block in context.incomplete
    path = link.reference.path
    return path is not None and any(
        path.segments[:length] in context.incomplete_paths for length in range(1, len(path.segments) + 1)
    )


def _no_version(context: CheckContext, link: Link) -> Diagnostic:
    reference = link.reference
    number = context.graph.places[link.source].block
    assert reference.path is not None  # only paths have versions; narrows the type
    there = _listed(context.resolver.versions(reference.path))
    required = context.resolver.required(reference.path, number)
    wanted = f"version {reference.version}" if reference.version else f"a version in {required}"
    if reference.version and required:
        wanted += f" within the required {required}"
    return codes.NO_SUCH_VERSION.at(
        context.span_of(link),
        f'node "{_id(context, link)}" calls {wanted} of "{reference.path}", which exists in {there}',
        help=f"call one of: {there}",
    )


def _listed(versions: tuple[Version, ...]) -> str:
    """Versions in words, the last of many."""
    shown = ", ".join(map(str, versions[-_SHOWN_VERSIONS:]))
    return shown if len(versions) <= _SHOWN_VERSIONS else f"{shown} and {len(versions) - _SHOWN_VERSIONS} older ones"


def _template(context: CheckContext, link: Link) -> Diagnostic:
    is_error = context.strict and context.in_production
    return codes.TEMPLATE_REFERENCE.at(
        context.span_of(link),
        f'where node "{_id(context, link)}" goes in {link.field} is only known at run time',
        help="name the target, or set mode: dev in /__meta__",
        severity=Severity.ERROR if is_error else Severity.WARNING,
    )


def _node(context: CheckContext, link: Link) -> Iterator[Diagnostic]:
    target = context.graph.places[link.target.node].node
    if not target.spec.has_edges:
        yield codes.BAD_LIST.at(
            context.span_of(link),
            f'node "{_id(context, link)}" goes to "{target.id}", which is a {target.type} and never runs',
            help="name a node that runs",
        )
    elif target.spec.is_end and link.field in (WAIT_FOR, SOURCES):
        kind = codes.JOIN_WAIT_FOR if link.field == SOURCES else codes.BAD_LIST
        yield kind.at(
            context.span_of(link),
            f'node "{_id(context, link)}" waits for "{target.id}", which is an end',
            help="wait for a node that leads on",
        )


def check_lists(context: CheckContext) -> Iterator[Diagnostic]:
    """A list is ``calls* (end | nodes+)?``; branches are nodes; nothing is named twice."""
    graph = context.graph
    for links in graph.links_of:
        if _are_single_nodes(links):
            continue
        for field in dict.fromkeys(link.field for link in links):
            listed = [link for link in links if link.field == field]
            yield from _twice(context, listed)
            if field == NEXT and not isinstance(graph.places[listed[0].source].node, Fork):
                yield from _check_next(context, listed)
            elif field in (BRANCHES, WAIT_FOR, SOURCES):
                yield from _only_nodes(context, listed)


def _are_single_nodes(links: tuple[Link, ...]) -> bool:
    """Whether each field names one node: so it is with most nodes, and nothing can be wrong with such lists."""
    fields = set()
    for link in links:
        if link.target.kind is not TargetKind.NODE or link.field in fields:
            return False
        fields.add(link.field)
    return True


def _twice(context: CheckContext, links: list[Link]) -> Iterator[Diagnostic]:
    seen: set[object] = set()
    for link in links:
        if link.target.kind is TargetKind.CALL:
            continue  # a library may be called twice
        target: object = link.target.node if link.target.kind is TargetKind.NODE else link.reference.text
        if target in seen:
            yield codes.DUPLICATE_BRANCH.at(
                context.span_of(link),
                f'node "{_id(context, link)}" names "{link.reference}" twice in {link.field}',
                help="drop one of the two",
            )
        seen.add(target)


def _check_next(context: CheckContext, links: list[Link]) -> Iterator[Diagnostic]:
    before: Link | None = None
    ends = [link for link in links if link.target.kind in _ENDS]
    nodes = [link for link in links if link.target.kind in _GOES_ON]
    for link in links:
        if link.target.kind is TargetKind.CALL:
            if before is not None:
                yield codes.BAD_LIST.at(
                    context.span_of(link),
                    f'node "{_id(context, link)}" calls "{link.reference}" after it goes to "{before.reference}"',
                    help="put the library calls first",
                )
        elif before is None and link.target.is_known:
            before = link
    mixed = ends if nodes else ends[1:]
    for link in mixed:
        other = nodes[0] if nodes else ends[0]
        if other.reference.text == link.reference.text:
            continue  # named twice, which is a finding of its own
        yield codes.BAD_LIST.at(
            context.span_of(link),
            f'node "{_id(context, link)}" ends at "{link.reference}" and goes to "{other.reference}" too',
            help="keep either one end or the nodes",
        )


def _only_nodes(context: CheckContext, links: list[Link]) -> Iterator[Diagnostic]:
    for link in links:
        if link.target.kind in _ENDS:
            doing = "starts" if link.field == BRANCHES else "waits for"
            yield codes.BAD_LIST.at(
                context.span_of(link),
                f'node "{_id(context, link)}" {doing} "{link.reference}", which is an end and no node',
                help="name a node",
            )


def check_requirements(context: CheckContext) -> Iterator[Diagnostic]:
    """Every ``requires`` range is satisfied by some entry."""
    for block in context.resolver.blocks:
        for position, requirement in enumerate(block.requires):
            there = context.resolver.versions(requirement.path)
            if any(requirement.range is None or requirement.range.matches(version) for version in there):
                continue
            wanted = f'"{requirement.path}"' + (f" {requirement.range}" if requirement.range else "")
            span = requirement.span if requirement.span.end else block.at("requires", position)
            if there:
                found = _listed(there)
                yield codes.UNRESOLVED_REQUIRE.at(
                    span,
                    f'"{block.path}" requires {wanted}, which exists in {found} only',
                    help="widen the range, or add the version to the library",
                )
            else:
                yield codes.UNRESOLVED_REQUIRE.at(
                    span,
                    f'"{block.path}" requires {wanted}, which no library defines',
                    help=context.suggester.help(
                        str(requirement.path), context.resolver.names, "add the library that defines it"
                    ),
                )
