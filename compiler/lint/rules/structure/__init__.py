"""Rules about nodes and blocks."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.structure import (
    idle_handler,
    single_source_join,
    unused_block,
)

RULES: tuple[Rule, ...] = (
    idle_handler.RULE,
    single_source_join.RULE,
    unused_block.RULE,
)
