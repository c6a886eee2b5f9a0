"""ADL823: fork, generation and fork again: the number of calls multiplies."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Fork, GenerateSubgraph, Join


def _check(context: LintContext) -> Iterator[Diagnostic]:
    inside, ahead = _inside(context), _ahead(context)
    for place in context.places:
        if isinstance(place.node, GenerateSubgraph) and place.number in inside and place.number in ahead:
            before, behind = context.places[inside[place.number]], context.places[ahead[place.number]]
            yield codes.GENERATION_FAN_OUT.at(
                place.node.at("type"),
                f'node "{place.node.id}" generates in a branch of "{before.node.id}", and "{behind.node.id}" fans out '
                "behind it again",
                help="join the branches before the second fork, or generate before the first",
            )


def _inside(context: LintContext) -> dict[int, int]:
    """Node → a fork that leads to it before a join does."""
    found: dict[int, int] = {}
    for fork in (place.number for place in context.places if isinstance(place.node, Fork)):
        stack = [fork]
        while stack:
            for edge in context.check.graph.outgoing[stack.pop()]:
                if edge.target not in found and not isinstance(context.places[edge.target].node, Join):
                    found[edge.target] = fork
                    stack.append(edge.target)
    return found


def _ahead(context: LintContext) -> dict[int, int]:
    """Node → a fork to which it leads before it leads to a join."""
    found: dict[int, int] = {}
    for fork in (place.number for place in context.places if isinstance(place.node, Fork)):
        stack = [fork]
        while stack:
            for edge in context.check.graph.incoming[stack.pop()]:
                if edge.source not in found:
                    found[edge.source] = fork
                    if not isinstance(context.places[edge.source].node, Join):
                        stack.append(edge.source)
    return found


_BAD = """
- {id: split, type: fork, fork: {branches: [/main/p/plan, /main/p/other]}}
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/again]}
- {id: other, type: assign, assign: {x: 1}, next: [/main/p/both]}
- {id: again, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {y: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {z: 1}, next: [/main/p/both]}
- id: both
  type: join
  join: {wait_for: [/main/p/other, /main/p/left, /main/p/right]}
  next: [/main/p/done]
- {id: done, type: end}
"""
_GOOD = """
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/split]}
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {y: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {z: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.GENERATION_FAN_OUT,
    Group.BUDGETS,
    "Every level of generation multiplies with the branches around it: three branches that each generate three "
    "branches are nine calls on the second level and 27 on the third.",
    bad=Example(subgraph(_BAD)),
    good=Example(subgraph(_GOOD)),
    check=_check,
)
