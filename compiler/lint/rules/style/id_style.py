"""ADL851: ids in other letters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic

_STYLE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        node = place.node
        if not place.subgraph.single and not _STYLE.fullmatch(node.id):
            yield codes.ID_STYLE.at(
                context.check.id_span(place),
                f'the id "{node.id}" is not in small letters with underscores',
                help="rename it, and the references to it",
            )


_GOOD = subgraph("""
- {id: first_step, type: assign, assign: {y: 1}, next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.ID_STYLE,
    Group.STYLE,
    "Models write ids in small letters with underscores, and so do all examples; other ids look like names of "
    "something else, and of two that differ in case only one is soon mistaken.",
    bad=Example(_GOOD.replace("first_step", "firstStep")),
    good=Example(_GOOD),
    check=_check,
)
