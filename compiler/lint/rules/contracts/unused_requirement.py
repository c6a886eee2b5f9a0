"""ADL805: a requirement that no call needs."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext, block_places
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph
from agentic_dsl.span import NOWHERE


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_, places in block_places(context):
        if not block_.requires:
            continue
        open_ = any(p.number in context.check.graph.loose or isinstance(p.node, GenerateSubgraph) for p in places)
        if open_:
            continue
        called = {link.reference.path for p in places for link in context.check.graph.links_of[p.number]}
        for position, required in enumerate(block_.requires):
            if required.path not in called:
                span = required.span if required.span != NOWHERE else block_.at("requires", position)
                yield codes.UNUSED_REQUIREMENT.at(
                    span,
                    f'"{block_.path}" requires "{required.path}" and does not call it',
                    help="drop the requirement",
                )


_NODES = """
- {id: ask, type: assign, assign: {request: "ok?"}, next: ["/lib/human/approval", /main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNUSED_REQUIREMENT,
    Group.CONTRACTS,
    "Whoever installs the document has to provide a library that is never called, and version conflicts arise over it.",
    bad=Example(
        subgraph(_NODES, keys='requires: [{lib: "/lib/human/approval@^1.0"}, {lib: "/lib/tool/list_available@^1.0"}]')
    ),
    good=Example(subgraph(_NODES, keys='requires: [{lib: "/lib/human/approval@^1.0"}]')),
    check=_check,
)
