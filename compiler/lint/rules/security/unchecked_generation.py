"""ADL844: generated subgraphs that nobody checks."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if isinstance(place.node, GenerateSubgraph) and place.node.signature_validation == "ignore":
            yield codes.UNCHECKED_GENERATION.at(
                place.node.at("signature_validation"),
                f'node "{place.node.id}" runs what a model wrote without a look at its signature',
                help="write strict, or warn where findings are to be logged only",
            )


_GOOD = subgraph("""
- id: plan
  type: generate_subgraph
  prompt_template: "Plan a day."
  signature_validation: warn
  output_keys: [plan]
  next: [/main/p/done]
- {id: done, type: end}
""")

RULE = Rule(
    codes.UNCHECKED_GENERATION,
    Group.SECURITY,
    "The signature is all that holds a generated program to what was asked for.",
    bad=Example(_GOOD.replace("warn", "ignore")),
    good=Example(_GOOD),
    check=_check,
)
