"""ADL811: a permission that nothing in the block needs."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.permissions import describe, span_of, used
from agentic_dsl.compiler.lint.context import LintContext, block_places
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import GenerateSubgraph
from agentic_dsl.permission import Permission

_NAMED = ("tool", "runtime")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    needed = _needed_by_calls(context)
    for number, (block_, places) in enumerate(block_places(context)):
        generates = any(isinstance(place.node, GenerateSubgraph) for place in places)
        if generates or number in context.any_tool or not places:
            continue  # what runs then is not known before
        reached = {use[:2] for place in places if (use := used(place.node)) is not None}
        for position, held in enumerate(block_.permissions):
            if not _is_unused(held, reached, needed.get(number, ())):
                continue
            yield codes.UNUSED_PERMISSION.at(
                span_of(held, block_.at("permissions", position)),
                f'"{block_.path}" has {describe(held)} and does not use it',
                help="drop it",
            )


def _is_unused(held: Permission, reached: set[tuple[str, str]], needed: tuple[Permission, ...]) -> bool:
    if any(other.kind == held.kind and held.name in (None, other.name) for other in needed):
        return False
    if held.kind == "generate_subgraph":
        return True
    if held.kind not in _NAMED:
        return False
    return not any(kind == held.kind and held.name in (None, name) for kind, name in reached)


def _needed_by_calls(context: LintContext) -> dict[int, tuple[Permission, ...]]:
    """For each block what the libraries that it calls state that they need."""
    needed: dict[int, tuple[Permission, ...]] = {}
    for place, _, callee in context.callees:
        if callee.entry is not None:
            needed[place.block] = (*needed.get(place.block, ()), *callee.entry.permissions)
    return needed


_NODES = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNUSED_PERMISSION,
    Group.PERMISSIONS,
    "Least privilege: whatever the block does not need is only there for whoever takes it over. Permissions that were "
    "forgotten hide the ones that matter.",
    bad=Example(subgraph(_NODES, keys='permissions: ["tool: search", "tool: send_mail"]')),
    good=Example(subgraph(_NODES, keys='permissions: ["tool: search"]')),
    check=_check,
)
