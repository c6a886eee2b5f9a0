"""The grammar dialects: what each is written for and what reads along; the one list that everything else asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Dialect = Literal["xgrammar", "gbnf", "llguidance", "llguidance-parametric"]
"""What a grammar is written for."""


@dataclass(frozen=True, slots=True)
class DialectFacts:
    """What is true of every grammar in a dialect.

    Attributes:
        use: who takes it, in a few words.
        matched: whether engines of ours that take it put our matcher on top.
        masks: whether token masks are compiled from it before use.
    """

    use: str
    matched: bool
    masks: bool


DIALECTS: Mapping[Dialect, DialectFacts] = {
    "xgrammar": DialectFacts("EBNF for our engines, vLLM and SGLang", matched=True, masks=True),
    "gbnf": DialectFacts("llama.cpp", matched=False, masks=False),
    "llguidance": DialectFacts("Lark for llguidance", matched=False, masks=False),
    "llguidance-parametric": DialectFacts(
        "Lark with parameters, valid graphs of up to 32 nodes by the grammar alone", matched=False, masks=False
    ),
}
"""Every dialect, the default first."""
