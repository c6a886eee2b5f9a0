"""ADL814: a permission for all of a kind."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.permissions import span_of
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic

_KINDS = {"tool": "tools", "runtime": "runtimes", "file": "files"}


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for owner, span, held in context.permissions:
        if held.kind in _KINDS and held.name in (None, "*"):
            yield codes.WIDE_PERMISSION.at(
                span_of(held, span),
                f"{owner} may reach all {_KINDS[held.kind]}",
                help=f'name those that are needed, as in "{held.kind}: …"',
            )


_NODES = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.WIDE_PERMISSION,
    Group.PERMISSIONS,
    "Least privilege: a permission without a name also grants every tool that is registered tomorrow.",
    bad=Example(subgraph(_NODES, keys="permissions: [tool]")),
    good=Example(subgraph(_NODES, keys='permissions: ["tool: search"]')),
    check=_check,
)
