"""ADL825: a subgraph that nobody can follow any more."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic

MOST = 100
"""Nodes of a subgraph that people can still follow in a drawing."""


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.blocks:
        if len(block_.nodes) > MOST:
            yield codes.LARGE_SUBGRAPH.at(
                block_.path_span,
                f'"{block_.path}" has {len(block_.nodes)} nodes; more than {MOST} are hard to follow',
                help="move parts that belong together into library entries",
            )


def _chain(length: int) -> str:
    nodes = [
        f"- {{id: step_{n}, type: assign, assign: {{x_{n}: 1}}, next: [/main/p/step_{n + 1}]}}"
        for n in range(length - 1)
    ]
    return subgraph("\n".join([*nodes, f"- {{id: step_{length - 1}, type: end}}"]))


RULE = Rule(
    codes.LARGE_SUBGRAPH,
    Group.BUDGETS,
    "A graph of hundreds of nodes can neither be drawn nor reviewed, and one change in it touches everything.",
    bad=Example(lambda: _chain(MOST + 1), shown=f"a subgraph of {MOST + 1} nodes"),
    good=Example(lambda: _chain(MOST), shown=f"a subgraph of {MOST} nodes"),
    check=_check,
)
