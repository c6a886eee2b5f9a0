"""ADL911: a signature that the reference executor cannot read."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.document.blocks:
        if not isinstance(block_, Subgraph | Contract) or block_.signature is None:
            continue
        plain = all(parameter.is_plain for parameter in (*block_.signature.inputs, *block_.signature.outputs))
        if context.text[block_.at("signature").start : block_.at("signature").start + 1] not in ('"', "'", "("):
            yield codes.MAPPING_SIGNATURE.at(
                block_.key_at("signature"),
                f'the signature of "{block_.path}" is a mapping',
                help="run `agentic-dsl fmt`, which writes it in one line"
                if plain
                else 'write it in one line, as in "(a: number) -> {sum: number}", if the reference executor runs it',
            )


_GOOD = contract("(a: number) -> {b: number}")

RULE = Rule(
    codes.MAPPING_SIGNATURE,
    Group.EXECUTOR,
    "The reference executor reads signatures as one string and stops at a mapping. Other executors of the language "
    "take both.",
    bad=Example(
        _GOOD.replace(
            '"(a: number) -> {b: number}"', "{inputs: [{name: a, type: number}], outputs: [{name: b, type: number}]}"
        )
    ),
    good=Example(_GOOD),
    check=_check,
)
