"""Rules about what models are to read and write."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.generation import (
    long_description,
    undescribed_tool,
    untyped_tool,
    unwritable_parameter,
)

RULES: tuple[Rule, ...] = (
    long_description.RULE,
    undescribed_tool.RULE,
    untyped_tool.RULE,
    unwritable_parameter.RULE,
)
