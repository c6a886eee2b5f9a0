"""ADL835: a template where nothing fills it in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import CodeletCall, DslCall

_OUTPUT = re.compile(r"\{\{-?\s*(?:\$\.|inputs\.)?([A-Za-z_]\w*)[^{}]*\}\}")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        match place.node:
            case CodeletCall(code=code, runtime=runtime):
                fields = {"code": code, "runtime": runtime}
            case DslCall(llm_tool_name=name):
                fields = {"llm_tool_name": name}
            case _:
                continue
        facts = context.facts(place)
        for field, text in fields.items():
            if any(facts.knows(match[1]) for match in _OUTPUT.finditer(text)):
                yield codes.TEMPLATE_IN_CODE.at(
                    place.node.key_at(field),
                    f'"{field}" of "{place.node.id}" holds a template, but it is plain text',
                    help="read the context in the code itself, or write the value",
                )


_GOOD = subgraph(
    """
- {id: count, type: codelet_call, runtime: python3, code: "n = len(xs)", output_keys: [n], next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(xs: array) -> {n: integer}"',
)

RULE = Rule(
    codes.TEMPLATE_IN_CODE,
    Group.TEMPLATES,
    "Code and names of models are not templates: the braces reach the interpreter as they stand, and the node fails.",
    bad=Example(_GOOD.replace("len(xs)", "len({{ xs }})")),
    good=Example(_GOOD),
    check=_check,
)
