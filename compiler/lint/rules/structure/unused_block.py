"""ADL863: a block of an application that nothing leads to."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    graph = context.check.graph
    if graph.entry_point is None or graph.loose or context.check.application is None:
        return
    if any(isinstance(place.node, GenerateSubgraph) for place in context.places):
        return  # generated subgraphs may go to every block
    run = graph.reach({graph.entry_point})
    used = {context.places[number].block for number in run}
    for number, block_ in enumerate(context.blocks):
        if number not in used and block_.nodes and not block_.path.is_library:
            yield codes.UNUSED_BLOCK.at(
                block_.path_span,
                f'no way leads from the entry point to "{block_.path}"',
                help="drop the block, or go to it",
            )


_GOOD = application("- {id: done, type: end}")
_OTHER = subgraph("- {id: done, type: end}", path="/main/other")

RULE = Rule(
    codes.UNUSED_BLOCK,
    Group.STRUCTURE,
    "The block is never run, and yet it is read, reviewed and kept up with changes.",
    bad=Example(f"{_GOOD}\n{_OTHER}"),
    good=Example(_GOOD),
    check=_check,
)
