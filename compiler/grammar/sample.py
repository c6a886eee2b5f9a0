"""Random sentences of a grammar: for tests, documentation and looking at what a grammar allows."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import assert_never

from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Grammar, Literal, Ref, Repeat, Seq

_LAST = 0x10FFFF
_STRANGE = '\t\n"\\{}%#$.:-[]()&?é\x7f\x85\u2028\ufeff\uffff漢😀'
"""Characters that break careless readers; those that a negated class allows are drawn often."""


def sample(grammar: Grammar, random: Random, *, max_repeats: int = 3) -> str:
    """One sentence.

    Args:
        grammar: without recursion that cannot be left (see `Grammar.validate`).
        random: the source of all choices; equal seeds give equal sentences.
        max_repeats: how often more than necessary a repetition goes on, at most.
    """
    return "".join(_Sampler(grammar, random, max_repeats).draw(Ref(grammar.root)))


@dataclass(slots=True)
class _Sampler:
    grammar: Grammar
    random: Random
    max_repeats: int

    def draw(self, expr: Expr) -> list[str]:
        """The pieces of a sentence of an expression."""
        match expr:
            case Literal(text):
                return [text]
            case CharClass():
                return [self._char(expr)]
            case Seq(items):
                return [piece for item in items for piece in self.draw(item)]
            case Alt(options):
                return self.draw(self.random.choice(options))
            case Repeat(item, least, most):
                top = least + self.max_repeats if most is None else min(most, least + self.max_repeats)
                return [piece for _ in range(self.random.randint(least, top)) for piece in self.draw(item)]
            case Ref(name):
                return self.draw(self.grammar.by_name[name])
            case _:
                assert_never(expr)

    def _char(self, cls: CharClass) -> str:
        if not cls.negated:
            low, high = self.random.choice(cls.ranges)
            return chr(self.random.randint(ord(low), ord(high)))
        while True:
            pick = self.random.random()
            if pick < 0.25:
                char = self.random.choice(_STRANGE)
            else:
                char = chr(self.random.randint(0x20, 0x7E if pick < 0.95 else _LAST))
            if char in cls:
                return char
