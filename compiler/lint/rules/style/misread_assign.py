"""ADL854: an assign that looks like another language's."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Assign


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if isinstance(place.node, Assign) and set(place.node.assign) == {"expr", "path"}:
            target = place.node.assign["path"]
            yield codes.MISREAD_ASSIGN.at(
                place.node.key_at("assign", "expr"),
                f'node "{place.node.id}" writes two names, "expr" and "path"',
                help=f'write assign: {{{target}: …}} if "{target}" is to be written',
            )


_GOOD = subgraph("""
- {id: work, type: assign, assign: {total: 3}, next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.MISREAD_ASSIGN,
    Group.STYLE,
    "Other dialects write the value as expr and its name as path. Here both are ordinary names, and the name that was "
    "meant is never written.",
    bad=Example(_GOOD.replace("{total: 3}", "{expr: 3, path: total}")),
    good=Example(_GOOD),
    check=_check,
)
