"""ADL824: a budget that no run can keep."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.guards import EMPTY
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import DslCall, GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    meta = context.check.application
    graph = context.check.graph
    if meta is None or graph.loose or len(graph.roots) != 1:
        return
    limit = meta.execution_budget.max_llm_calls
    asking = [place for place in context.places if isinstance(place.node, DslCall | GenerateSubgraph)]
    if limit < 0 or len(asking) <= limit:
        return
    certain = [place for place in asking if context.check.guards.of[place.number] == EMPTY]
    if len(certain) > limit:
        yield codes.BUDGET_TOO_SMALL.at(
            meta.at("execution_budget", "max_llm_calls"),
            f"every run asks models {len(certain)} times; the budget allows {limit}",
            help=f"write max_llm_calls: {len(certain)} or more, or drop nodes",
        )


_NODES = """
- id: ask
  type: dsl_call
  prompt_template: "Say hello."
  llm_tool_name: llama
  output_keys: [words]
  next: [/main/p/mend]
- id: mend
  type: dsl_call
  prompt_template: "Correct: {{ words }}"
  llm_tool_name: llama
  output_keys: [text]
  next: [/main/p/done]
- {id: done, type: end, output_keys: [text]}
"""

RULE = Rule(
    codes.BUDGET_TOO_SMALL,
    Group.BUDGETS,
    "The run is stopped at its budget before it comes to an end, whatever the models answer.",
    bad=Example(application(_NODES, meta="execution_budget: {max_llm_calls: 1}")),
    good=Example(application(_NODES, meta="execution_budget: {max_llm_calls: 2}")),
    check=_check,
)
