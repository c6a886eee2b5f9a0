"""ADL916: a termination mode that the reference executor overlooks."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import End


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        keys = place.node.spans.keys
        if isinstance(place.node, End) and ("metadata", "termination_mode") in keys and ("metadata",) not in keys:
            yield codes.MISPLACED_MODE.at(
                keys[("metadata", "termination_mode")],
                f'the termination_mode of "{place.node.id}" stands on the node',
                help="write it below metadata:, as `agentic-dsl fmt` does",
            )


_GOOD = subgraph("""
- {id: done, type: end, metadata: {termination_mode: soft}}
""")

RULE = Rule(
    codes.MISPLACED_MODE,
    Group.EXECUTOR,
    "The reference executor looks below metadata only: the end is hard there, and the run stops instead of returning "
    "to its caller.",
    bad=Example(_GOOD.replace("metadata: {termination_mode: soft}", "termination_mode: soft")),
    good=Example(_GOOD),
    check=_check,
)
