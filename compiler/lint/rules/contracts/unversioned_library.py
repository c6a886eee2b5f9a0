"""ADL804: a library entry without a version."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.library_blocks:
        if block_.version is None:
            yield codes.UNVERSIONED_LIBRARY.at(
                block_.path_span,
                f'"{block_.path}" states no version',
                help='write version: "1.0" beside its signature',
            )


RULE = Rule(
    codes.UNVERSIONED_LIBRARY,
    Group.CONTRACTS,
    "Callers cannot pin what has no version, and nobody sees when an incompatible change is made: the entry counts as "
    "version 1 for ever.",
    bad=Example(contract("(a: number) -> {b: number}", keys="")),
    good=Example(contract("(a: number) -> {b: number}")),
    check=_check,
)
