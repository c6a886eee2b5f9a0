"""ADL852: context keys in other letters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic

_STYLE = re.compile(r"_?[a-z][a-z0-9]*(?:_[a-z0-9]+)*(?:\.[a-z][a-z0-9_]*)*")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    said: set[str] = set()
    for place in context.places:
        node = place.node
        for name in node.writes:
            if name in said or _STYLE.fullmatch(name):
                continue
            said.add(name)
            yield codes.KEY_STYLE.at(
                context.span_of_written(place, name),
                f'the context key "{name}" is not in small letters with underscores',
                help="rename it, and the templates that read it",
            )


_GOOD = subgraph("""
- {id: work, type: assign, assign: {best_price: 1}, next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.KEY_STYLE,
    Group.STYLE,
    "Templates read some spellings of a name only in brackets, and models write small letters with underscores, so "
    "that they miss the name.",
    bad=Example(_GOOD.replace("best_price", "bestPrice")),
    good=Example(_GOOD),
    check=_check,
)
