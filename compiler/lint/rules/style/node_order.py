"""ADL853: nodes that stand before those that lead to them."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    graph = context.check.graph
    if graph.cycles:
        return
    said: set[int] = set()
    for edge in graph.edges:
        source, target = context.places[edge.source], context.places[edge.target]
        if source.block == target.block and edge.target < edge.source and source.block not in said:
            said.add(source.block)
            yield codes.NODE_ORDER.at(
                context.check.id_span(target),
                f'node "{target.node.id}" stands before "{source.node.id}", which leads to it',
                help="run `agentic-dsl fmt`, which puts nodes in the order in which they run",
            )


_A = "- {id: work, type: assign, assign: {y: 1}, next: [/main/p/done]}"
_B = "- {id: done, type: end}"

RULE = Rule(
    codes.NODE_ORDER,
    Group.STYLE,
    "A subgraph is read from top to bottom; where nodes stand in the order in which they run, no reader has to jump.",
    bad=Example(subgraph(f"{_B}\n{_A}", keys="entry: work")),
    good=Example(subgraph(f"{_A}\n{_B}")),
    check=_check,
)
