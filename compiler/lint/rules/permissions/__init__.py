"""Rules about what is granted and what is used."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.permissions import (
    repeated_permission,
    unstated_need,
    unused_permission,
    unused_resource,
    wide_permission,
)

RULES: tuple[Rule, ...] = (
    repeated_permission.RULE,
    unstated_need.RULE,
    unused_permission.RULE,
    unused_resource.RULE,
    wide_permission.RULE,
)
