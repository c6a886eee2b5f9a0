"""Rules about names and order."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.style import (
    id_style,
    key_style,
    misread_assign,
    node_order,
)

RULES: tuple[Rule, ...] = (
    id_style.RULE,
    key_style.RULE,
    misread_assign.RULE,
    node_order.RULE,
)
