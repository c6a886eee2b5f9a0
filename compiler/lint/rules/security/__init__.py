"""Rules about what must not get out, and what must not get in."""

from __future__ import annotations

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules.security import (
    plain_http,
    prompt_injection,
    secret_in_text,
    unbounded_tool,
    unchecked_generation,
    unrestricted_network,
)

RULES: tuple[Rule, ...] = (
    plain_http.RULE,
    prompt_injection.RULE,
    secret_in_text.RULE,
    unbounded_tool.RULE,
    unchecked_generation.RULE,
    unrestricted_network.RULE,
)
