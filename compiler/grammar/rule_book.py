"""Rules in the making: names that mean one thing each, and the shapes of rule that several parts need."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentic_dsl.compiler.grammar.ir import EMPTY, Expr, Grammar, Ref, alt, optional, seq


@dataclass(slots=True)
class RuleBook:
    """The rules of one grammar while it is lowered; owned by one call of `lower`."""

    rules: dict[str, Expr] = field(default_factory=dict)

    def define(self, name: str, expr: Expr) -> Ref:
        """Adds a rule, or finds that it is there already.

        Raises:
            ValueError: the name already means something else.
        """
        if self.rules.setdefault(name, expr) != expr:
            raise ValueError(f'the rule "{name}" is defined twice')
        return Ref(name)

    def some_in_order(self, name: str, lines: Sequence[Expr], separator: str = "") -> Expr:
        """At least one of the lines, each at most once, in order: a chain of rules, linear in the number of lines.

        ``<name>`` chooses the first of them, ``<name>_i`` is any of those from the i-th on.
        """
        rest: Expr = EMPTY
        ways: list[Expr] = []
        for i in range(len(lines) - 1, -1, -1):
            ways.append(seq(lines[i], rest))
            if i:
                rest = self.define(f"{name}_{i}", seq(optional(separator, lines[i]), rest))
        return self.define(name, alt(*reversed(ways)))

    def grammar(self, root: str) -> Grammar:
        """The rules that the root needs."""
        return Grammar.reachable(self.rules, root)


def rule_name(prefix: str, text: str) -> str:
    """A rule name for a text of the user's: readable, and different for different texts."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    if plain == text:
        return f"{prefix}_{plain}"
    return f"{prefix}_{plain}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
