"""ADL822: generation without a limit on its depth."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import UNLIMITED
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    meta, resources = context.check.application, context.document.resources
    if meta is None or meta.execution_budget.max_subgraph_depth != UNLIMITED:
        return
    limits = [e.options.get("max_depth") for e in (resources.entries if resources else ()) if e.type == _RESOURCE]
    if any(isinstance(limit, int) and limit >= 0 for limit in limits):
        return
    for place in context.places:
        if isinstance(place.node, GenerateSubgraph):
            yield codes.UNLIMITED_DEPTH.at(
                place.node.at("type"),
                f'node "{place.node.id}" generates a subgraph, which may generate others without end',
                help="write execution_budget: {max_subgraph_depth: 1} in /__meta__",
            )
            return


_RESOURCE = "generate_subgraph"
_NODES = """
- {id: plan, type: generate_subgraph, prompt_template: "Plan a day.", output_keys: [plan], next: [/main/p/done]}
- {id: done, type: end, output_keys: [plan]}
"""

RULE = Rule(
    codes.UNLIMITED_DEPTH,
    Group.BUDGETS,
    "A generated subgraph may itself generate subgraphs. Without a limit one confused answer feeds the next until the "
    "budget or the machine is used up.",
    bad=Example(application(_NODES, meta="execution_budget: {max_llm_calls: 9}")),
    good=Example(application(_NODES, meta="execution_budget: {max_llm_calls: 9, max_subgraph_depth: 1}")),
    check=_check,
)
