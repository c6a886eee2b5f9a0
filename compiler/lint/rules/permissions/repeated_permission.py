"""ADL815: a permission that another one already grants."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.checks.permissions import describe, span_of
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.permission import Permission
from agentic_dsl.span import Span


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.document.blocks:
        if isinstance(block_, Subgraph | Contract):
            yield from _repeated(block_.permissions, block_.at("permissions"))
    for place in context.places:
        yield from _repeated(place.node.permissions, place.node.at("permissions"))


def _repeated(held: tuple[Permission, ...], span: Span) -> Iterator[Diagnostic]:
    groups: dict[str, list[Permission]] = {}
    for permission in held:
        others = groups.setdefault(permission.kind, [])
        if any(other.covers(permission) for other in others):
            yield codes.REPEATED_PERMISSION.at(
                span_of(permission, span), f"{describe(permission)} is granted before already", help="drop it"
            )
        others.append(permission)


_NODES = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.REPEATED_PERMISSION,
    Group.PERMISSIONS,
    "Of two permissions for the same thing one looks like a limit and is none: the wider one holds.",
    bad=Example(subgraph(_NODES, keys='permissions: ["tool: search", {tool: search, scope: read_only}]')),
    good=Example(subgraph(_NODES, keys="permissions: [{tool: search, scope: read_only}]")),
    check=_check,
)
