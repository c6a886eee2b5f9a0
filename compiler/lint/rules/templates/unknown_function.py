"""ADL831: a function that templates do not have."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.parse.template_walk import calls
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

FUNCTIONS = frozenset(
    {
        *(
            "at",
            "capitalize",
            "default",
            "divisibleBy",
            "even",
            "exists",
            "existsIn",
            "first",
            "float",
            "int",
            "isArray",
        ),
        *("isBoolean", "isFloat", "isInteger", "isNumber", "isObject", "isString", "join", "last", "length", "lower"),
        *("max", "min", "odd", "range", "replace", "round", "sort", "upper"),
    }
)
"""The functions of Inja, in which the templates of the language are written."""


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if "{" not in text.text or ("(" not in text.text and "|" not in text.text):
            continue
        tree = context.tree(text)
        for call in calls(tree) if tree is not None else ():
            if call.function not in FUNCTIONS:
                yield codes.UNKNOWN_FUNCTION.at(
                    context.inside(text, call.span),
                    f'the template calls "{call.function}", which is no function of templates',
                    help=context.check.suggester.help(
                        call.function,
                        sorted(FUNCTIONS),
                        "use one of default, exists, join, length, round",
                    ),
                )


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    written = context.text[finding.span.start : finding.span.end]
    name = finding.message.split('"')[1]
    meant = context.check.suggester.closest(name, sorted(FUNCTIONS))
    at = written.find(name)
    if meant is None or at < 0:
        return None
    start = finding.span.start + at
    return Fix(f'write "{meant}"', (Edit(Span(start, start + len(name)), meant),), safe=False)


_GOOD = subgraph(
    """
- {id: count, type: assign, assign: {n: "{{ length(xs) }}"}, next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(xs: array) -> {n: integer}"',
)

RULE = Rule(
    codes.UNKNOWN_FUNCTION,
    Group.TEMPLATES,
    "The template fails when the node runs, far from where it was written.",
    bad=Example(_GOOD.replace("length(", "lenght(")),
    good=Example(_GOOD),
    check=_check,
    mend=_mend,
)
