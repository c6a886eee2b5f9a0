"""ADL912: a text that the reference executor takes for something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Assign, ToolCall

_TYPED = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|true|false|True|False|TRUE|FALSE")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if not isinstance(text.place.node, Assign | ToolCall) or text.path[0] not in ("assign", "arguments"):
            continue
        if _TYPED.fullmatch(text.text):
            yield codes.LITERAL_LOOKS_TYPED.at(
                text.span,
                f'the text "{text.text}" in "{text.place.node.id}" looks like another type',
                help="drop the quotes if that type is meant; else let a template build the text",
            )


_GOOD = subgraph("""
- {id: call, type: tool_call, tool: look_up, arguments: {code: "A-0042"}, output_keys: [r], next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.LITERAL_LOOKS_TYPED,
    Group.EXECUTOR,
    "The reference executor reads every scalar anew and makes a number or boolean of what looks like one, quotes or "
    "not: postcodes lose their zeros, and tools refuse the type.",
    bad=Example(_GOOD.replace("A-0042", "0042")),
    good=Example(_GOOD),
    check=_check,
)
