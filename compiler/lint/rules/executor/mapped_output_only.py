"""ADL915: a tool call that the reference executor refuses."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import ToolCall


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if isinstance(place.node, ToolCall) and not place.node.output_keys and place.node.output_mapping:
            yield codes.MAPPED_OUTPUT_ONLY.at(
                place.node.key_at("output_mapping"),
                f'node "{place.node.id}" has an output_mapping and no output_keys',
                help="write output_keys, and take the fields apart in an assign behind it",
            )


_GOOD = subgraph("""
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.MAPPED_OUTPUT_ONLY,
    Group.EXECUTOR,
    "The reference executor throws the document away when a tool call lists no output keys.",
    bad=Example(_GOOD.replace("output_keys: [hits]", "output_mapping: {hits: result.hits}")),
    good=Example(_GOOD),
    check=_check,
)
