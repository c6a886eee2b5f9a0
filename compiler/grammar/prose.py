"""Prose: an answer in plain text, where `Constraints.allow_free_text` lets the model choose between that and a block.

The first character decides, so nothing that follows is ever in doubt: a block begins with ``#``, prose with anything
else but white space and control characters of ASCII. Behind its first character prose is any text.
"""

from __future__ import annotations

from agentic_dsl.compiler.grammar.ir import CharClass, many, seq
from agentic_dsl.constraints import Constraints

PROSE_RULE = "prose"
"""The rule of a grammar that is prose; it stands at the root only, where nothing follows it."""

_BEYOND_ASCII = (("\x80", "\ud7ff"), ("\ue000", "\U0010ffff"))

FIRST = CharClass((("!", '"'), ("$", "~"), *_BEYOND_ASCII))
"""The characters with which prose can begin."""

PROSE = seq(FIRST, many(CharClass((("\x00", "\x7f"), *_BEYOND_ASCII))))
"""A character of `FIRST`, then any; there are no surrogates in UTF-8."""


def is_prose(text: str, constraints: Constraints) -> bool:
    """Whether an answer, or the beginning of one, is prose that the constraints allow."""
    return constraints.allow_free_text and bool(text) and text[0] in FIRST
