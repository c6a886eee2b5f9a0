"""ADL812: a declared tool or runtime that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.permissions import used
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import application
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph


def _check(context: LintContext) -> Iterator[Diagnostic]:
    resources = context.document.resources
    if resources is None or not context.places or context.any_tool:
        return
    if any(isinstance(place.node, GenerateSubgraph) for place in context.places):
        return  # generated subgraphs may use all of them
    reached = {use[:2] for place in context.places if (use := used(place.node)) is not None}
    needed = {(p.kind, p.name) for _, _, c in context.callees if c.entry is not None for p in c.entry.permissions}
    for entry in resources.entries:
        if entry.type not in ("tool", "runtime") or entry.name is None:
            continue
        if (entry.type, entry.name) not in reached | needed and (entry.type, None) not in needed:
            yield codes.UNUSED_RESOURCE.at(
                entry.span,
                f'nothing uses the {entry.type} "{entry.name}"',
                help="drop it from /__meta__/resources",
            )


_NODES = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNUSED_RESOURCE,
    Group.PERMISSIONS,
    "The executor has to provide the tool before the application starts, and a reviewer has to ask what it is for.",
    bad=Example(application(_NODES, resources="- {type: tool, name: search}\n- {type: tool, name: send_mail}")),
    good=Example(application(_NODES, resources="- {type: tool, name: search}")),
    check=_check,
)
