"""ADL901: a parameter whose name models cannot write."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.checks.generated_form import is_word
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.constraints import Constraints
from agentic_dsl.diagnostics import Diagnostic

_DEFAULTS = Constraints()


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for block_ in context.library_blocks:
        signature = block_.signature
        for parameter in (*signature.inputs, *signature.outputs) if signature is not None else ():
            if not is_word(parameter.name, _DEFAULTS):
                yield codes.UNWRITABLE_PARAMETER.at(
                    context.span_of_parameter(block_, parameter),
                    f'"{parameter.name}" of "{block_.path}" is no name that models can write',
                    help=f"write at most {_DEFAULTS.max_identifier_chars} small letters, digits and _; no word of YAML",
                )


RULE = Rule(
    codes.UNWRITABLE_PARAMETER,
    Group.GENERATION,
    "Generated text holds names of one form only, so that a model can neither put such an input into the context nor "
    "read such an output.",
    bad=Example(contract("(maxPrice: number) -> {hits: array}")),
    good=Example(contract("(max_price: number) -> {hits: array}")),
    check=_check,
)
