"""Rules about what the reference executor is known to refuse."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.executor import (
    literal_looks_typed,
    mapped_output_only,
    mapping_signature,
    misplaced_mode,
    relative_reference,
    unregistered_end,
)

RULES: tuple[Rule, ...] = (
    literal_looks_typed.RULE,
    mapped_output_only.RULE,
    mapping_signature.RULE,
    misplaced_mode.RULE,
    relative_reference.RULE,
    unregistered_end.RULE,
)
