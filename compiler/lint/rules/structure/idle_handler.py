"""ADL862: a handler that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.edges import EdgeKind
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    graph = context.check.graph
    flowing = {(edge.source, edge.target) for edge in graph.edges if edge.kind is EdgeKind.FLOW and not edge.calls}
    for edge in graph.edges:
        if edge.kind is EdgeKind.JUMP and (edge.source, edge.target) in flowing:
            node = context.places[edge.source].node
            yield codes.IDLE_HANDLER.at(
                node.at(*edge.path),
                f'"{node.id}" goes to "{context.places[edge.target].node.id}" whether it succeeds or fails',
                help="handle the failure elsewhere, or drop the handler so that the run ends with it",
            )


_GOOD = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], on_error: /main/p/sorry, next: [/main/p/done]}
- {id: sorry, type: assign, assign: {hits: []}, next: [/main/p/done]}
- {id: done, type: end}
"""
_BAD = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], on_error: /main/p/done, next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.IDLE_HANDLER,
    Group.STRUCTURE,
    "A failure looks like a success to everything behind it, and what the node should have written is missing there.",
    bad=Example(subgraph(_BAD)),
    good=Example(subgraph(_GOOD)),
    check=_check,
)
