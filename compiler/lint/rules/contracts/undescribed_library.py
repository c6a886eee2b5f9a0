"""ADL803: a library entry without a word about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.library_blocks:
        if not _COMMENT.sub("", block_.prose).strip():
            yield codes.UNDESCRIBED_LIBRARY.at(
                block_.path_span,
                f'nothing says what "{block_.path}" does',
                help="write a sentence above its heading; models choose by it",
            )


_GOOD = contract("(a: number, b: number) -> {sum: number}", "/lib/math/add")

RULE = Rule(
    codes.UNDESCRIBED_LIBRARY,
    Group.CONTRACTS,
    "The text above a block is what people and models are told about it; without one they have to guess from the name.",
    bad=Example(_GOOD.partition("\n\n")[2]),
    good=Example(_GOOD),
    check=_check,
)
