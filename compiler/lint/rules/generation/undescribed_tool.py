"""ADL903: a tool that models have to guess about."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    resources = context.document.resources
    if resources is None or not any(isinstance(place.node, GenerateSubgraph) for place in context.places):
        return
    for entry in resources.entries:
        if entry.type == "tool" and entry.name and not str(entry.options.get("description") or "").strip():
            yield codes.UNDESCRIBED_TOOL.at(
                entry.span,
                f'nothing says what the tool "{entry.name}" does, and subgraphs that call it are generated',
                help="write description: …",
            )


_NODES = """
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/done]}
- {id: done, type: end, output_keys: [plan]}
"""
_META = "execution_budget: {max_llm_calls: 2, max_subgraph_depth: 1}"

RULE = Rule(
    codes.UNDESCRIBED_TOOL,
    Group.GENERATION,
    "A model that plans chooses tools by what it is told about them; a name alone makes it choose wrongly.",
    bad=Example(application(_NODES, _META, "- {type: tool, name: search, parameters: {type: object}}")),
    good=Example(
        application(
            _NODES, _META, "- {type: tool, name: search, description: Searches the web., parameters: {type: object}}"
        )
    ),
    check=_check,
)
