"""Rule 6: how many nodes there are, how deep generation nests, and that it never feeds itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import references_of
from agentic_dsl.compiler.library import LibraryEntry
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.constraints import MAX_NODES
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import GenerateSubgraph, ResourceDeclare
from agentic_dsl.paths import Path
from agentic_dsl.span import NOWHERE, Span

_MAX_STEPS = 2_000_000
"""Steps of the search for circles among blocks: thousands of blocks that all reach each other would take hours."""

MAX_MEMBERS = 400_000_000
"""Nodes times names: a set of names a node, with a bit for each, takes 50 MB then."""


def counted(context: CheckContext) -> list[Place]:
    """The nodes that count: all but declarations of resources of the document."""
    return [place for place in context.graph.places if not isinstance(place.node, ResourceDeclare)]


def check_node_count(context: CheckContext) -> Iterator[Diagnostic]:
    """There are no more nodes than the application's budget, the caller and the toolkit allow."""
    nodes = counted(context)
    meta, constraints = context.application, context.constraints
    limits: list[tuple[int, str]] = [(MAX_NODES, "the limit")]
    if meta is not None and meta.execution_budget.max_nodes >= 0:
        limits.append((meta.execution_budget.max_nodes, "the budget in /__meta__"))
    if constraints is not None:
        limits.append((constraints.max_nodes, "max_nodes"))
    limit, who = min(limits, key=lambda pair: pair[0])
    if len(nodes) > limit:
        beyond = nodes[limit]
        yield codes.TOO_MANY_NODES.at(
            context.id_span(beyond),
            f"there are {len(nodes):,} nodes; {who} is {limit:,}",
            help=f'drop nodes from "{beyond.node.id}" on' if limit == MAX_NODES else "drop nodes, or raise the limit",
        )


def follows_names(places: Sequence[Place]) -> bool:
    """Whether the names that nodes write are few enough for a set of them at each node to be kept."""
    count = sum(len(place.node.writes) for place in places)
    if count * len(places) <= MAX_MEMBERS:
        return True  # also if all of them are different
    names = {name for place in places for name in place.node.writes}
    return len(names) * len(places) <= MAX_MEMBERS


def check_name_count(context: CheckContext) -> Iterator[Diagnostic]:
    """What is there at each node can be kept in memory."""
    places = context.resolver.places
    if not follows_names(places):
        most = max(places, key=lambda place: len(place.node.writes))
        yield codes.NAME_LIMIT.at(
            context.id_span(most),
            f"{len(places):,} nodes write more than {MAX_MEMBERS // len(places):,} different names",
            help=f'split the document, or let "{most.node.id}" write fewer names',
        )


def check_depth(context: CheckContext) -> Iterator[Diagnostic]:
    """Where no nesting is allowed, nothing is generated."""
    who = _forbids_generation(context)
    if who is None:
        return
    for place in context.graph.places:
        if isinstance(place.node, GenerateSubgraph):
            yield codes.DEPTH_EXCEEDED.at(
                place.node.at("type"),
                f'node "{place.node.id}" generates a subgraph, but {who} allows no depth',
                help="drop the node, or allow a depth of at least 1",
            )


def _forbids_generation(context: CheckContext) -> str | None:
    meta, resources, constraints = context.application, context.document.resources, context.constraints
    if constraints is not None and constraints.max_subgraph_depth == 0:
        return "max_subgraph_depth"
    if meta is not None and meta.execution_budget.max_subgraph_depth == 0:
        return "the budget in /__meta__"
    for entry in resources.entries if resources is not None else ():
        if entry.type == "generate_subgraph" and entry.options.get("max_depth") == 0:
            return "/__meta__/resources"
    return None


def check_generation_cycles(context: CheckContext) -> Iterator[Diagnostic]:
    """No block reaches itself through a generation; a library that only calls itself gets a warning.

    A block reaches the libraries that it calls, the blocks that it goes to, and the blocks of the document at or
    below the ``namespace_prefix`` of what it generates. Libraries outside the document are followed too.
    """
    if not _may_recur(context):
        return
    graph = _BlockGraph(context)
    own = len(context.resolver.blocks)
    for number in sorted(graph.on_cycles()):
        if number >= own:
            continue  # said where the document's own block calls it
        if graph.left < 0:
            yield codes.GENERATION_CYCLE.at(
                context.resolver.blocks[number].path_span,
                f'"{context.resolver.blocks[number].path}" leads to itself or to one of the many blocks that do',
                help="break the circles named before, and check again",
                severity=Severity.ERROR if graph.generating else Severity.WARNING,
            )
            return
        for step in graph.steps[number]:
            way = graph.way(step.target, number)
            if way is None:
                continue
            on_it = {number, *way}
            paths = graph.paths(on_it)
            if min(on_it) != number or not any(path.is_library or path.under("dynamic") for path in paths):
                continue  # said at its first block, or an ordinary circle of edges, which `flow` finds
            through = step.generates or any(member in graph.generating for member in on_it)
            named = graph.paths((number, *way))
            names = " → ".join(f'"{path}"' for path in named)
            yield codes.GENERATION_CYCLE.at(
                step.span,
                f'"{named[0]}" reaches itself again' + (f": {names}" if len(named) > 2 else ""),
                help="break the circle" if through else "make sure that the recursion ends",
                severity=Severity.ERROR if through else Severity.WARNING,
            )
            break


def _may_recur(context: CheckContext) -> bool:
    """Whether any block leads to a block at all; most documents are one block that calls nothing."""
    graph = context.graph
    return (
        bool(graph.crossing)
        or any(link.target.kind is TargetKind.CALL for link in graph.links)
        or any(isinstance(place.node, GenerateSubgraph) for place in graph.places)
    )


class _Step(NamedTuple):
    target: int
    span: Span
    generates: bool


class _BlockGraph:
    """Which block leads to which; the document's blocks first, then what they reach.

    Attributes:
        blocks: the vertices: blocks of the document, library blocks, and None for a ``namespace_prefix``, which leads
            to every block below it.
        steps: for each vertex where it leads.
        generating: blocks with a node that generates subgraphs.
        left: how many more steps `way` takes before it finds nothing more.
    """

    def __init__(self, context: CheckContext) -> None:
        self._resolver = context.resolver
        self.blocks: list[Subgraph | None] = list(context.resolver.blocks)
        self.steps: list[list[_Step]] = [[] for _ in self.blocks]
        self.generating: set[int] = set()
        self.left = _MAX_STEPS
        self._prefixes: dict[str, int] = {}
        self._numbers = {id(block): number for number, block in enumerate(self.blocks)}
        graph = context.graph
        for link in graph.links:
            block = graph.places[link.source].block
            if link.target.kind is TargetKind.CALL and link.target.call is not None:
                self._call(block, link.target.call.entry, context.span_of(link))
            elif link.target.kind is TargetKind.NODE and graph.places[link.target.node].block != block:
                self._step(block, graph.places[link.target.node].block, context.span_of(link))
        for place in graph.places:
            if isinstance(place.node, GenerateSubgraph):
                self._generate(place.block, place.node)
        self._follow_libraries()

    def _step(self, source: int, target: int, span: Span, generates: bool = False) -> None:
        self.steps[source].append(_Step(target, span, generates))

    def _call(self, source: int, entry: LibraryEntry | None, span: Span) -> None:
        if entry is None or not isinstance(entry.block, Subgraph):
            return
        number = self._numbers.get(id(entry.block))
        if number is None:
            number = self._numbers[id(entry.block)] = len(self.blocks)
            self.blocks.append(entry.block)
            self.steps.append([])
        self._step(source, number, span)

    def _generate(self, source: int, node: GenerateSubgraph) -> None:
        self.generating.add(source)
        prefix = node.namespace_prefix
        if prefix is None or "{{" in prefix or prefix.rstrip("/") == "/dynamic":
            return  # anywhere: nothing is known of what it will replace
        plain = prefix.rstrip("/")
        if plain not in self._below:
            return
        if (number := self._prefixes.get(plain)) is None:
            number = self._prefixes[plain] = len(self.blocks)
            self.blocks.append(None)
            self.steps.append([_Step(below, NOWHERE, True) for below in self._below[plain]])
        self._step(source, number, node.at("namespace_prefix"), generates=True)

    @cached_property
    def _below(self) -> dict[str, list[int]]:
        """Path → the blocks of the document at or below it."""
        below: dict[str, list[int]] = {}
        for number, block in enumerate(self._resolver.blocks):
            path = ""
            for segment in block.path.segments:
                path += f"/{segment}"
                below.setdefault(path, []).append(number)
        return below

    def paths(self, vertices: Iterable[int]) -> list[Path]:
        """The paths of the blocks among some vertices."""
        return [block.path for vertex in vertices if (block := self.blocks[vertex]) is not None]

    def _follow_libraries(self) -> None:
        number = len(self._resolver.blocks)
        while number < len(self.blocks):  # grows while it is read
            block = self.blocks[number]
            for node in block.nodes if block is not None else ():
                if isinstance(node, GenerateSubgraph):
                    self.generating.add(number)
                for _, _, reference in references_of(node):
                    if reference.path is not None and reference.path.is_library:
                        self._call(number, self._resolver.entry(reference.path, reference.version), NOWHERE)
            number += 1

    def on_cycles(self) -> set[int]:
        """Blocks that may reach themselves: what is left when blocks that lead nowhere are taken away."""
        left = [len(steps) for steps in self.steps]
        back: list[list[int]] = [[] for _ in self.steps]
        for source, steps in enumerate(self.steps):
            for step in steps:
                back[step.target].append(source)
        done = [number for number, count in enumerate(left) if count == 0]
        for number in done:  # grows while it is read
            for source in back[number]:
                left[source] -= 1
                if left[source] == 0:
                    done.append(source)
        return set(range(len(self.steps))) - set(done)

    def way(self, start: int, goal: int) -> list[int] | None:
        """The vertices on a shortest way from ``start`` to ``goal``, both included; None where there is none."""
        came_from: dict[int, int | None] = {start: None}
        queue = [start]
        for block in queue:  # grows while it is read
            if block == goal:
                way: list[int] = []
                at: int | None = block
                while at is not None:
                    way.append(at)
                    at = came_from[at]
                return way[::-1]
            self.left -= len(self.steps[block])
            if self.left < 0:
                return None
            for step in self.steps[block]:
                if step.target not in came_from:
                    came_from[step.target] = block
                    queue.append(step.target)
        return None
