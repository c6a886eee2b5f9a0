"""A text cut into pieces: plain text, comments, and the insides of ``{{ … }}`` and ``{% … %}``.

Where a construct ends cannot be said by one pattern: quotes hide a closing delimiter, and so do the braces of an
object. Every character is looked at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.span import Span


class Piece(NamedTuple):
    """One piece of a text.

    Attributes:
        kind: what it is.
        start: offset of its first character, of the opening delimiter where there is one.
        end: offset behind it.
        inner_start: offset behind the opening delimiter and its whitespace control.
        inner_end: offset of the closing delimiter, or of its whitespace control.
    """

    kind: Literal["text", "comment", "expression", "statement"]
    start: int
    end: int
    inner_start: int
    inner_end: int

    @property
    def span(self) -> Span:
        """Where the piece stands in the text."""
        return Span(self.start, self.end)


_OPENING = re.compile(r"\{(?:\{-?|%[-+]?|#-?)")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_KIND: dict[str, Literal["expression", "statement"]] = {"{{": "expression", "{%": "statement"}

_INSIDE = re.compile(
    r"""
      (?P<string> "(?:[^"\\]++|\\.)*+(?P<double>"?) | '(?:[^'\\]++|\\.)*+(?P<single>'?) )
    | (?P<close> -?\}\} | [-+]?%\} )
    | (?P<opening> \{[{%\#] )
    | (?P<brace> \{ )
    | (?P<unbrace> \} )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What decides where a construct ends. An unclosed string takes the rest, so that no quote is looked at twice."""


def holds_template(text: str) -> bool:
    """Whether any template construct begins in the text."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def pieces(text: str) -> Iterator[Piece | Problem]:
    """The pieces of a text in order; a `Problem` is the last thing that comes."""
    at = 0
    while match := _OPENING.search(text, at):
        start = match.start()
        if start > at:
            yield Piece("text", at, start, at, start)
        opening = text[start : start + 2]
        piece = _comment(text, start, match.end()) if opening == "{#" else _construct(text, start, match.end(), opening)
        yield piece
        if isinstance(piece, Problem):
            return
        at = piece.end
    if at < len(text):
        yield Piece("text", at, len(text), at, len(text))


def _comment(text: str, start: int, inner: int) -> Piece | Problem:
    close = text.find("#}", inner)
    if close < 0:
        return Problem('the comment "{#" is never closed', 'close it with "#}"', Span(start, start + 2))
    return Piece("comment", start, close + 2, inner, close)


def _construct(text: str, start: int, inner: int, opening: str) -> Piece | Problem:
    """The piece that begins with ``{{`` or ``{%`` at ``start``."""
    closing, at, depth = _CLOSING[opening], inner, 0
    while match := _INSIDE.search(text, at):
        at = match.end()
        match match.lastgroup:
            case "close":
                found = match[0][-2:]
                if found == closing and (depth == 0 or found == "%}"):
                    return Piece(_KIND[opening], start, at, inner, match.start())
                if found == "%}":
                    return _mismatch(opening, closing, found, match.end() - 2)
                if depth == 0:
                    return _mismatch(opening, closing, found, match.end() - 2)
                depth -= 1  # the first brace closes an object, the second is looked at again
                at -= 1
            case "brace":
                depth += 1
            case "unbrace":
                if depth == 0:
                    return _mismatch(opening, closing, "}", match.start())
                depth -= 1
            case "opening":
                return Problem(
                    f'the "{opening}" is not closed before the next "{match[0]}"',
                    f'close it with "{closing}"',
                    Span(start, start + 2),
                )
            case _ if not (match["double"] or match["single"]):
                return _open_string(text, start, opening, closing, match.start())
    return Problem(f'the "{opening}" is never closed', f'close it with "{closing}"', Span(start, start + 2))


def _mismatch(opening: str, closing: str, found: str, at: int) -> Problem:
    return Problem(
        f'the "{opening}" is closed by {quoted(found)}', f'close it with "{closing}"', Span(at, at + len(found))
    )


def _open_string(text: str, start: int, opening: str, closing: str, quote: int) -> Problem:
    """An unclosed quote; or, where nothing after it closes the construct, an unclosed construct."""
    if text.find(closing, quote) < 0:
        return Problem(f'the "{opening}" is never closed', f'close it with "{closing}"', Span(start, start + 2))
    return Problem(
        f"a string inside {opening} … {closing} is never closed",
        f"close it with {text[quote]}, or drop the quote",
        Span(quote, quote + 1),
    )
