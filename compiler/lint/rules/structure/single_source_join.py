"""ADL861: a join that joins nothing."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Join


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if isinstance(place.node, Join) and len(context.check.graph.incoming[place.number]) == 1:
            yield codes.SINGLE_SOURCE_JOIN.at(
                place.node.at("join", "wait_for"),
                f'the join "{place.node.id}" waits for one node only',
                help="drop the join, or add the branch that is missing",
            )


_GOOD = """
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {y: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {z: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
"""
_BAD = """
- {id: left, type: assign, assign: {y: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left]}, next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.SINGLE_SOURCE_JOIN,
    Group.STRUCTURE,
    "There is nothing to wait for and nothing to merge; mostly a branch was forgotten when the graph was changed.",
    bad=Example(subgraph(_BAD)),
    good=Example(subgraph(_GOOD)),
    check=_check,
)
