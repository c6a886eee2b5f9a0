"""ADL845: a tool that the context chooses."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import ToolCall


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if not isinstance(place.node, ToolCall) or not is_template(place.node.tool):
            continue
        granted = (*place.node.permissions, *place.subgraph.permissions)
        if not any(held.kind == "tool" and held.name not in (None, "*") for held in granted):
            yield codes.UNBOUNDED_TOOL.at(
                place.node.at("tool"),
                f'node "{place.node.id}" calls whatever tool the context names',
                help='name those that are allowed: permissions: ["tool: …"]',
            )


_NODES = """
- {id: call, type: tool_call, tool: "{{ chosen }}", output_keys: [r], next: [/main/p/done]}
- {id: done, type: end}
"""
_SIGNATURE = 'signature: "(chosen: string) -> {r: any}"'

RULE = Rule(
    codes.UNBOUNDED_TOOL,
    Group.SECURITY,
    "Whoever can write that name into the context, a user or a model among them, can call every tool that is "
    "registered.",
    bad=Example(subgraph(_NODES, keys=_SIGNATURE)),
    good=Example(subgraph(_NODES, keys=_SIGNATURE + '\npermissions: ["tool: search", "tool: look_up"]')),
    check=_check,
)
