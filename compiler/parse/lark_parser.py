"""The one place that builds Lark parsers and meets Lark's errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from lark import Lark, TextSlice, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from agentic_dsl.grammars.loader import grammar_text

END = "$END"
"""Lark's name of the end of the text, for tables of words."""


@cache
def lark_parser(name: str, *, start: str = "start", transformer: Transformer[Any, Any] | None = None) -> Lark:
    """The LALR parser of a grammar, built once a process.

    Args:
        name: the grammar file without ``.lark``.
        start: the rule to begin with.
        transformer: what makes values of the rules as they are recognised, so that no tree is built and nothing is
            walked by recursion. One object for each grammar: it is part of the cache's key.
    """
    return Lark(
        grammar_text(name),
        parser="lalr",
        lexer="contextual",
        start=start,
        transformer=transformer,
        propagate_positions=False,
    )


def built(name: str, text: str | TextSlice[str], transformer: Transformer[Any, Any], *, start: str = "start") -> Any:
    """What a transformer makes of a text, which is whatever its method for the start rule gives.

    Args:
        name: the grammar file without ``.lark``.
        text: the text, or a part of one; offsets are always into the whole.
        transformer: see `lark_parser`.
        start: the rule to begin with.

    Raises:
        lark.exceptions.UnexpectedInput: the text is not of the grammar; `expectation` says why.
    """
    return lark_parser(name, start=start, transformer=transformer).parse(text)


def expectation(error: UnexpectedInput, words: Mapping[str, str], *, length: int) -> tuple[int, str]:
    """Where a parse failed and what was expected there, in words.

    Terminal names never leave this function: one without words is left out.

    Args:
        error: what Lark raised.
        words: terminal name → what people call it; `END` is the end of the text.
        length: the length of the text, which is where an error at its end stands.

    Returns:
        The offset into the text, and a phrase such as ``a name, "(" or the end``; empty where no terminal has words.
    """
    match error:
        case UnexpectedToken():
            expected: Iterable[str] = error.accepts or error.expected
            at_end = error.token.type == END
        case UnexpectedCharacters():
            expected, at_end = error.allowed or (), False
        case _:
            expected, at_end = (), True
    at: Any = error.pos_in_stream  # an int, which Lark's base class declares as None
    return (length if at_end or at is None else at), either(sorted({words[name] for name in expected if name in words}))


def either(phrases: Iterable[str]) -> str:
    """``a, b or c``."""
    *head, last = list(phrases) or [""]
    return f"{', '.join(head)} or {last}" if head else last
