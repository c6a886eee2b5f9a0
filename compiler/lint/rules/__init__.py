"""The rules of lint, one file each, and the examples of the rules of `validate`."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules import (
    budgets,
    comments,
    contracts,
    executor,
    generation,
    permissions,
    security,
    structure,
    style,
    templates,
)

RULES: tuple[Rule, ...] = (
    *contracts.RULES,
    *permissions.RULES,
    *budgets.RULES,
    *templates.RULES,
    *security.RULES,
    *style.RULES,
    *structure.RULES,
    *generation.RULES,
    *executor.RULES,
    *comments.RULES,
)
"""Every rule that `validate` does not have."""
