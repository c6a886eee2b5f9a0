"""ADL992: a comment for lint that cannot be read."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_GOOD = "<!-- adl: ignore ADL851 -- the name of the other system -->\n\n" + subgraph("""
- {id: firstStep, type: assign, assign: {y: 1}, next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.BROKEN_SUPPRESSION,
    Group.COMMENTS,
    "Whoever wrote the comment believes that something is left out, and it is not.",
    bad=Example("<!-- adl: ignroe ADL851 -->\n\n" + subgraph("- {id: done, type: end}")),
    good=Example(_GOOD),
)
"""Found where the comments are read (`agentic_dsl.compiler.lint.suppressions`)."""
