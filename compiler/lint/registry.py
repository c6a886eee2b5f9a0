"""The registry: every rule, in order of code, and how selectors name them."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.rules import RULES as WRITTEN
from agentic_dsl.compiler.lint.rules.validate import RULES as VALIDATED

RULES: tuple[Rule, ...] = tuple(sorted((*VALIDATED, *WRITTEN), key=lambda rule: rule.code))
"""Every rule there is; codes and names are unique (a test holds that)."""

BY_CODE: Mapping[str, Rule] = {rule.code: rule for rule in RULES}
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def find_rule(word: str) -> Rule | None:
    """The rule of a code or name, in any case."""
    return BY_CODE.get(word.upper()) or BY_NAME.get(word.lower())
