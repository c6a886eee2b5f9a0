"""ADL813: a library that does not say which tools it needs."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.permissions import used
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import library
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    said: set[tuple[int, str, str]] = set()
    for place in context.places:
        reached = used(place.node) if place.subgraph.path.is_library else None
        if reached is None or not reached[1]:
            continue
        kind, name, attribute = reached
        granted = (*place.subgraph.permissions, *place.node.permissions)
        if any(permission.kind == kind for permission in granted) or (place.block, kind, name) in said:
            continue
        said.add((place.block, kind, name))
        yield codes.UNSTATED_NEED.at(
            place.node.at(attribute),
            f'"{place.subgraph.path}" uses the {kind} "{name}" and does not say so',
            help=f'write permissions: ["{kind}: {name}"] in the block',
        )


_NODES = """
- {id: find, type: tool_call, tool: search, arguments: {q: "{{ q }}"}, output_keys: [hits], next: [/lib/utils/p/done]}
- {id: done, type: end}
"""
_SIGNATURE = "(q: string) -> {hits: array}"

RULE = Rule(
    codes.UNSTATED_NEED,
    Group.PERMISSIONS,
    "An application is checked against what its libraries say that they need. A need that is not stated is found at "
    "run time only.",
    bad=Example(library(_NODES, _SIGNATURE)),
    good=Example(library(_NODES, _SIGNATURE, keys='permissions: ["tool: search"]')),
    check=_check,
)
