"""Rules about texts that the context is put into."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.templates import (
    constant_condition,
    shadowed_name,
    single_braces,
    template_in_code,
    unguarded_optional,
    unknown_function,
)

RULES: tuple[Rule, ...] = (
    constant_condition.RULE,
    shadowed_name.RULE,
    single_braces.RULE,
    template_in_code.RULE,
    unguarded_optional.RULE,
    unknown_function.RULE,
)
