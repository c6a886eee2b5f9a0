"""ADL834: a loop variable that hides a name of the context."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.parse.template_walk import loops
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if "{%" not in text.text:
            continue
        tree = context.tree(text)
        for loop in loops(tree) if tree is not None else ():
            for name in loop.names:
                if context.facts(text.place).knows(name):
                    yield codes.SHADOWED_NAME.at(
                        context.inside(text, loop.span),
                        f'the loop variable "{name}" hides "{name}" of the context',
                        help="give the loop variable another name",
                    )


_GOOD = subgraph(
    """
- {id: list, type: assign, assign: {y: "{% for x in xs %}{{ x }},{% endfor %}"}, next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(xs: array) -> {y: string}"',
)

RULE = Rule(
    codes.SHADOWED_NAME,
    Group.TEMPLATES,
    "Inside the loop the name means something else than outside, which readers overlook.",
    bad=Example(_GOOD.replace("for x in", "for xs in").replace("{{ x }}", "{{ xs }}")),
    good=Example(_GOOD),
    check=_check,
)
