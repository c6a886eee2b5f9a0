"""ADL991: a comment that leaves nothing out."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_NODES = """
- {id: firstStep, type: assign, assign: {y: 1}, next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNUSED_SUPPRESSION,
    Group.COMMENTS,
    "What it left out is mended by now. If it stays, it hides the next finding of its kind.",
    bad=Example("<!-- adl: ignore ADL851 -->\n\n" + subgraph(_NODES.replace("firstStep", "first_step"))),
    good=Example("<!-- adl: ignore ADL851 -->\n\n" + subgraph(_NODES)),
)
"""Found after all other rules, where it is known what comments left out (`agentic_dsl.compiler.lint.report`)."""
