"""ADL836: an input that may be absent and is read all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        facts = context.facts(text.place)
        for read in text.reads:
            if (
                read.guarded
                or not facts.may_be_absent(read.name)
                or _is_asked_for(context, text.place.block, read.name)
            ):
                continue
            yield codes.UNGUARDED_OPTIONAL.at(
                context.inside(text, read.span),
                f'"{read.name}" may be absent, and node "{text.place.node.id}" reads it as if it were there',
                help=f"write default({read.name}, …), or give the input a default",
            )


def _is_asked_for(context: LintContext, block_number: int, name: str) -> bool:
    """Whether some template asks if the name exists; which nodes that protects is not followed."""
    pattern = re.compile(rf"exists\w*\(.*?\b{re.escape(name)}\b")
    group = context.check.graph.group[block_number]
    return any("exists" in text.text and pattern.search(text.text) for text in context.texts_by_group.get(group, ()))


_GOOD = subgraph(
    """
- {id: ask, type: assign, assign: {y: "{{ default(day, 'today') }}"}, next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(day?: string) -> {y: string}"',
)

RULE = Rule(
    codes.UNGUARDED_OPTIONAL,
    Group.TEMPLATES,
    "The run fails for exactly those callers that leave the optional input out, which tests rarely do.",
    bad=Example(_GOOD.replace("default(day, 'today')", "day")),
    good=Example(_GOOD),
    check=_check,
)
