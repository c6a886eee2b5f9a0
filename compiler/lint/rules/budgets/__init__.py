"""Rules about how large documents and runs may get."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.budgets import (
    budget_too_small,
    generation_fan_out,
    large_subgraph,
    unlimited_depth,
    unlimited_model_calls,
)

RULES: tuple[Rule, ...] = (
    budget_too_small.RULE,
    generation_fan_out.RULE,
    large_subgraph.RULE,
    unlimited_depth.RULE,
    unlimited_model_calls.RULE,
)
