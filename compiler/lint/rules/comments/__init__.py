"""Rules about the comments that steer lint."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.comments import (
    broken_suppression,
    unused_suppression,
)

RULES: tuple[Rule, ...] = (
    broken_suppression.RULE,
    unused_suppression.RULE,
)
