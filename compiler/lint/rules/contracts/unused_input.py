"""ADL801: an input that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import library
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    group = context.check.graph.group
    for number, block_ in enumerate(context.blocks):
        if block_.signature is None or not block_.nodes:
            continue
        facts = context.groups[group[number]]
        for parameter in block_.signature.inputs:
            if not facts.may_read(parameter.name):
                yield codes.UNUSED_INPUT.at(
                    context.span_of_parameter(block_, parameter),
                    f'nothing in "{block_.path}" reads the input "{parameter.name}"',
                    help="drop it from the signature, or use it",
                )


_NODES = """
- {id: work, type: assign, assign: {text: "{{ x }}"}, next: [/lib/utils/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNUSED_INPUT,
    Group.CONTRACTS,
    "Callers and models have to provide the input although it changes nothing, and a model that reads the signature is "
    "misled about what the library does.",
    bad=Example(library(_NODES, "(x: string, mood: string) -> {text: string}")),
    good=Example(library(_NODES, "(x: string) -> {text: string}")),
    check=_check,
)
