"""Which nodes of a fork are taken, and their order, against graph searches of networkx on random graphs."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.batching.branches import branch_batch


@dataclass(frozen=True)
class Forked:
    """A fork and what is behind it: node 0 is the fork, the last one an end; edges lead to higher numbers."""

    generating: tuple[bool, ...]
    edges: tuple[tuple[int, ...], ...]

    @property
    def text(self) -> str:
        lines = [f"  - {{id: n0, type: fork, fork: {{branches: [{self._names(0)}]}}}}"]
        last = len(self.edges)
        for number in range(1, last):
            rest = f"next: [{self._names(number)}]}}"
            if self.generating[number]:
                kind = 'type: generate_subgraph, prompt_template: "x", output_keys: [o]'
            else:
                kind = "type: assign, assign: {a: 1}"
            lines.append(f"  - {{id: n{number}, {kind}, {rest}")
        lines.append(f"  - {{id: n{last}, type: end}}")
        return "### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n" + "\n".join(lines) + "\n```\n"

    def _names(self, number: int) -> str:
        return ", ".join(f"n{target}" for target in self.edges[number])

    @property
    def graph(self) -> nx.DiGraph[int]:
        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(len(self.edges) + 1))
        graph.add_edges_from((source, target) for source, targets in enumerate(self.edges) for target in targets)
        return graph


@st.composite
def forked(draw: st.DrawFn) -> Forked:
    last = draw(st.integers(3, 12))
    edges = [
        tuple(sorted(draw(st.sets(st.integers(number + 1, last), min_size=2 if number == 0 else 1, max_size=3))))
        for number in range(last)
    ]
    return Forked(tuple(draw(st.lists(st.booleans(), min_size=last, max_size=last))), tuple(edges))


def taken(case: Forked) -> set[int]:
    """By definition: before all branches met, and with no other such node on any way to them."""
    graph = case.graph
    reached: list[set[int]] = [nx.descendants(graph, start) | {start} for start in case.edges[0]]
    behind = reached[0].union(*reached) - reached[0].intersection(*reached)
    asking = {number for number in behind if number < len(case.edges) and case.generating[number]}
    return {number for number in asking if not nx.ancestors(graph, number) & asking}


def longest(case: Forked, start: int, weight: int) -> int:
    """The heaviest of all simple ways from a node to the end."""
    weights = [weight if number < len(case.edges) and case.generating[number] else 1 for number in case.graph]
    last = len(case.edges)
    ways = nx.all_simple_paths(case.graph, start, last) if start != last else [[last]]
    return max(sum(weights[number] for number in way) for way in ways)


@settings(max_examples=150, deadline=None)
@given(case=forked(), most=st.integers(1, 20))
def test_the_batch_is_what_the_definition_says_in_order_of_the_longest_ways(case: Forked, most: int) -> None:
    document = parse(case.text)
    assert not document.has_errors
    tasks = branch_batch(document, fork="n0", constraints=Constraints(max_nodes=most)).tasks
    lengths = {number: longest(case, number, most) for number in taken(case)}
    order = sorted(lengths, key=lambda number: (-lengths[number], number))
    assert [task.id for task in tasks] == [f"n{number}" for number in order]
    assert [task.length for task in tasks] == [lengths[number] for number in order]
    first = lengths[order[0]] if order else 0
    assert [task.priority for task in tasks] == [first - lengths[number] for number in order]
