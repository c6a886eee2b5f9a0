"""ADL904: a tool whose arguments grammar cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
        if entry.type == "tool" and entry.name and not isinstance(entry.options.get("parameters"), Mapping):
            yield codes.UNTYPED_TOOL.at(
                entry.span,
                f'the arguments of the tool "{entry.name}" have no schema, and subgraphs that call it are generated',
                help="write parameters: {type: object, properties: {…}}",
            )


_NODES = """
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/done]}
- {id: done, type: end, output_keys: [plan]}
"""
_META = "execution_budget: {max_llm_calls: 2, max_subgraph_depth: 1}"

RULE = Rule(
    codes.UNTYPED_TOOL,
    Group.GENERATION,
    "The compiler turns a schema into grammar, so that wrong arguments cannot be written at all. Without one every "
    "argument is guessed.",
    bad=Example(application(_NODES, _META, "- {type: tool, name: search, description: Searches the web.}")),
    good=Example(
        application(
            _NODES, _META, "- {type: tool, name: search, description: Searches the web., parameters: {type: object}}"
        )
    ),
    check=_check,
)
