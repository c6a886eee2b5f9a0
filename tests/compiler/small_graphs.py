"""Small graphs, the documents that say the same, and what running them does.

`run` is the paragraph "Execution" of ``language.md`` §5, word for word: no guards, no sets of names, only runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Literal

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.node_table import Assign, End, GenerateSubgraph, Join
from agentic_dsl.paths import Path, Reference, ReferenceKind
from agentic_dsl.signature import Parameter, Signature

PATH = Path(("main", "p"))
END = -1
"""A system target, as a node number."""
SYSTEM_END = "/__system__/end_soft"


@dataclass(frozen=True)
class SmallNode:
    """A node; targets are numbers of later nodes, or `END`.

    `handlers` are the targets of its ``on_error`` and, as a second one, its ``on_signature_violation``.
    """

    kind: Literal["plain", "join", "end"] = "plain"
    next: tuple[int, ...] = ()
    handlers: tuple[int, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SmallGraph:
    """Node 0 is the entry; every target is later than its source, so that the numbers are a topological order."""

    nodes: tuple[SmallNode, ...]
    required: tuple[str, ...] = ()

    def document(self) -> Document:
        """The graph as a document of one block."""
        signature = Signature(outputs=tuple(Parameter(name) for name in self.required)) if self.required else None
        nodes = tuple(self._node(number, node) for number, node in enumerate(self.nodes))
        return Document(blocks=(Subgraph(path=PATH, nodes=nodes, signature=signature),))

    def sources(self, number: int) -> list[int]:
        """The nodes whose next names a node."""
        return [n for n, node in enumerate(self.nodes) if number in node.next]

    def _node(self, number: int, node: SmallNode) -> Assign | End | Join | GenerateSubgraph:
        name, targets = f"n{number}", tuple(map(refer, node.next))
        if node.kind == "end":
            return End(id=name)
        if node.kind == "join":
            sources = tuple(map(refer, self.sources(number)))
            handler = refer(node.handlers[0]) if node.handlers else None
            return Join(id=name, sources=sources, next=targets, on_error=handler)
        if len(node.handlers) > 1:
            return GenerateSubgraph(
                id=name,
                prompt_template="x",
                output_keys=node.writes,
                on_error=refer(node.handlers[0]),
                on_signature_violation=refer(node.handlers[1]),
                next=targets,
            )
        return Assign(
            id=name,
            assign=dict.fromkeys(node.writes, 1),
            on_error=refer(node.handlers[0]) if node.handlers else None,
            next=targets,
        )


def refer(target: int) -> Reference:
    """A reference to a node by number."""
    text = SYSTEM_END if target == END else f"{PATH}/n{target}"
    return Reference(text, ReferenceKind.PATH, Path(tuple(text[1:].split("/"))))


Context = dict[str, object]
"""Name → who gave it its value: a node, or the place where different values met."""


@dataclass
class Run:
    """What happened in one run.

    Attributes:
        seen: node → the names it could surely read, for the nodes that ran.
        stuck: joins that some but not all of their in-edges led to.
        clashes: joins and names of which two in-edges brought different values.
        lacking: whether some end was reached without what is required.
        aborted: whether a failure went to a system end, so that what came later did not happen.
    """

    seen: dict[int, Context] = field(default_factory=dict)
    stuck: set[int] = field(default_factory=set)
    clashes: set[tuple[int, str]] = field(default_factory=set)
    lacking: bool = False
    aborted: bool = False


def runs(graph: SmallGraph) -> Iterator[Run]:
    """Every run: each node with handlers succeeds, or fails in one of the ways that they handle."""
    ways = [range(len(node.handlers) + 1) for node in graph.nodes]
    for outcome in product(*ways):
        yield run(graph, outcome)


def run(graph: SmallGraph, outcome: tuple[int, ...]) -> Run:
    """One run; ``outcome`` is 0 for success and else the number of the handler that is taken."""
    result = Run()
    required = set(graph.required)
    taken: list[list[Context]] = [[] for _ in graph.nodes]
    taken[0].append({})
    for number, node in enumerate(graph.nodes):
        arrived = taken[number]
        if not arrived:
            continue
        is_join = node.kind == "join"
        if is_join and len(arrived) < _in_edges(graph, number):
            result.stuck.add(number)
            continue
        seen, clashing = _meet(arrived, number, everything=is_join)
        if is_join:
            result.clashes |= {(number, name) for name in clashing}
        result.seen[number] = seen
        if node.kind == "end":
            result.lacking |= not required <= seen.keys()
        elif outcome[number]:
            target = node.handlers[outcome[number] - 1]
            if target == END:
                result.lacking |= not required <= seen.keys()
                result.aborted = True
                return result
            taken[target].append(seen)
        else:
            delivered = seen | dict.fromkeys(node.writes, number)
            for target in node.next:
                if target == END:
                    result.lacking |= not required <= delivered.keys()
                else:
                    taken[target].append(delivered)
    return result


def _meet(arrived: list[Context], number: int, *, everything: bool) -> tuple[Context, set[str]]:
    """What a node sees of several contexts, and the names of which they hold different values."""
    names = set[str]().union(*arrived)
    if not everything:
        names = names.intersection(*arrived)
    clashing = {name for name in names if len({context[name] for context in arrived if name in context}) > 1}
    first: Context = {}
    for context in arrived:
        first = context | first
    return {name: ("met", number) if name in clashing else first[name] for name in names}, clashing


def _in_edges(graph: SmallGraph, number: int) -> int:
    return sum((number in node.next) + (number in set(node.handlers)) for node in graph.nodes)


def all_graphs(size: int) -> Iterator[SmallGraph]:
    """Every graph of a size with one handler at most a node; node ``i`` writes ``k<i>``."""
    return map(SmallGraph, product(*(_choices(number, size) for number in range(size))))


def _choices(number: int, size: int) -> list[SmallNode]:
    later = range(number + 1, size)
    lists = [(END,), *(chosen for count in range(1, len(later) + 1) for chosen in combinations(later, count))]
    handlers: list[tuple[int, ...]] = [(), (END,), *((target,) for target in later)]
    writes = (f"k{number}",)
    choices = [SmallNode("plain", targets, handler, writes) for targets in lists for handler in handlers]
    if number:
        choices += [SmallNode("join", targets, handler) for targets in lists for handler in handlers]
        choices.append(SmallNode("end"))
    return choices
