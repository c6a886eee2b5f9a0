"""ADL832: a condition that reads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.parse.template_walk import calls
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Assert


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if not isinstance(text.place.node, Assert) or text.path != ("condition",) or text.reads:
            continue
        tree = context.tree(text)
        if tree is None or "now" in text.text or "$" in text.text or any(True for _ in calls(tree)):
            continue
        yield codes.CONSTANT_CONDITION.at(
            text.span,
            f'the condition of "{text.place.node.id}" reads nothing of the context',
            help="compare something that a node has written, or drop the node",
        )


_GOOD = subgraph(
    """
- {id: enough, type: assert, condition: "{{ n > 3 }}", next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(n: integer) -> {}"',
)

RULE = Rule(
    codes.CONSTANT_CONDITION,
    Group.TEMPLATES,
    "A check that cannot fail checks nothing, and one that cannot hold ends every run. Often it is a leftover of a "
    "test.",
    bad=Example(
        subgraph("""
- {id: enough, type: assert, condition: "{{ 4 > 3 }}", next: [/main/p/done]}
- {id: done, type: end}
""")
    ),
    good=Example(_GOOD),
    check=_check,
)
