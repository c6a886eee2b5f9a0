"""ADL902: a description that prompts cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

MOST = 100
"""Characters of the first sentence of a description that a prompt has room for."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.library_blocks:
        yield from _judge(block_.prose, block_.path_span, f'"{block_.path}"')
    resources = context.document.resources
    for entry in resources.entries if resources is not None else ():
        description = entry.options.get("description")
        if entry.type == "tool" and isinstance(description, str):
            yield from _judge(description, entry.span, f'the tool "{entry.name}"')


def _judge(text: str, span: Span, what: str) -> Iterator[Diagnostic]:
    first = _SENTENCE_END.split(" ".join(_COMMENT.sub("", text).split()), maxsplit=1)[0].rstrip(".")
    if len(first) > MOST:
        yield codes.LONG_DESCRIPTION.at(
            span,
            f"the first sentence about {what} has {len(first)} characters; prompts show {MOST}",
            help="say in one short sentence what it does, and the rest after it",
        )


_GOOD = contract("(a: number) -> {b: number}")

RULE = Rule(
    codes.LONG_DESCRIPTION,
    Group.GENERATION,
    "Prompts tell a model the first sentence about each entry and cut it off at a limit; what stands behind the "
    "limit is never read.",
    bad=Example(_GOOD.replace("one thing well", "one thing well, " + "and another thing well, " * 5 + "and so on")),
    good=Example(_GOOD),
    check=_check,
)
