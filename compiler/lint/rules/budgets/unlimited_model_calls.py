"""ADL821: a production application without a limit on model calls."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import UNLIMITED
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import DslCall, GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    meta = context.check.application
    if meta is None or meta.mode != "prod" or meta.execution_budget.max_llm_calls != UNLIMITED:
        return
    asking = [place for place in context.places if isinstance(place.node, DslCall | GenerateSubgraph)]
    if asking:
        yield codes.UNLIMITED_MODEL_CALLS.at(
            meta.key_at("execution_budget"),
            f'node "{asking[0].node.id}" asks a model, and the budget in /__meta__ sets no limit',
            help="write execution_budget: {max_llm_calls: …}",
        )


_NODES = """
- id: ask
  type: dsl_call
  prompt_template: "Say hello."
  llm_tool_name: llama
  output_keys: [words]
  next: [/main/p/done]
- {id: done, type: end, output_keys: [words]}
"""

RULE = Rule(
    codes.UNLIMITED_MODEL_CALLS,
    Group.BUDGETS,
    "Model calls cost money and time; an application in production that may make any number of them has no worst case.",
    bad=Example(application(_NODES)),
    good=Example(application(_NODES, meta="execution_budget: {max_llm_calls: 3}")),
    check=_check,
)
