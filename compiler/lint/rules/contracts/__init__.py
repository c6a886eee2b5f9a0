"""Rules about signatures, versions and what is written for whom."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.contracts import (
    dead_write,
    deprecated_callee,
    outdated_call,
    undescribed_library,
    unstable_callee,
    unused_input,
    unused_requirement,
    unversioned_library,
)

RULES: tuple[Rule, ...] = (
    dead_write.RULE,
    deprecated_callee.RULE,
    outdated_call.RULE,
    undescribed_library.RULE,
    unstable_callee.RULE,
    unused_input.RULE,
    unused_requirement.RULE,
    unversioned_library.RULE,
)
