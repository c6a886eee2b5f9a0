r"""`Grammar` → EBNF as xgrammar 0.2 reads it.

Its dialect: ``name ::= expr``, literals only in double quotes, escapes ``\n \r \t \" \\ \uXXXX \UXXXXXXXX`` (``\x``
would swallow any number of hex digits), classes ``[a-z]``, ``? * + {n} {n,m} {n,}``. A rule with an open end says what
follows it, ``(=[…])``, which changes no language and spares the engine most of its work per token. The text is the same
for the same grammar, because engines and stores key by it.

Classes are written as xgrammar 0.2.7, which SGLang pins, reads them too: never ``[^…]``, of which it loses what is
beyond ASCII, and with ranges cut where it would lose characters (`_parts`).
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import assert_never

from agentic_dsl.compiler.grammar.follow import followers
from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Grammar, Literal, Ref, Repeat, Seq

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_IN_CLASS = "]^-["
_SPECIAL = re.compile('["\\\\\x00-\x1f\x7f-\x9f\ud800-\U0010ffff]')
"""What does not stand in a literal as it is: quotes, backslashes, controls, and what not every tool shows."""


def emit_xgrammar(grammar: Grammar) -> str:
    """The grammar as EBNF text; the root rule comes out as ``root``."""
    names = {grammar.root: "root"}
    ahead = followers(grammar)
    lines: list[str] = []
    for name, expr in grammar.rules:
        text = _emit(expr, names)
        if name in ahead:
            loose = f"({text})" if isinstance(expr, Alt) else text
            text = f"{loose} (={_emit(ahead[name], names)})"
        lines.append(f"{names.get(name, name)} ::= {text}\n")
    return "".join(lines)


def _emit(expr: Expr, names: dict[str, str]) -> str:
    match expr:
        case Literal():
            return f'"{_SPECIAL.sub(_escape_match, expr.text)}"'
        case Ref():
            return names.get(expr.name, expr.name)
        case Seq():
            return " ".join([_emit_inner(item, names) for item in expr.items])
        case Repeat():
            return _emit_inner(expr.item, names, repeated=True) + count(expr.min, expr.max)
        case Alt():
            return " | ".join([_emit(option, names) for option in expr.options])
        case CharClass():
            return _class(expr)
        case _:
            assert_never(expr)


_ATOMS = (Literal, Ref)


def _emit_inner(expr: Expr, names: dict[str, str], *, repeated: bool = False) -> str:
    """An expression inside a sequence or before a count, in parentheses where it binds more loosely."""
    text = _emit(expr, names)
    if isinstance(expr, _ATOMS):
        return text
    loose = isinstance(expr, Alt) or (repeated and isinstance(expr, Seq | Repeat))
    return f"({text})" if loose else text


def count(least: int, most: int | None) -> str:
    """The suffix for a number of repetitions; xgrammar and llama.cpp write it alike."""
    match (least, most):
        case (0, None):
            return "*"
        case (1, None):
            return "+"
        case (0, 1):
            return "?"
        case (_, None):
            return f"{{{least},}}"
        case _ if least == most:
            return f"{{{least}}}"
        case _:
            return f"{{{least},{most}}}"


@lru_cache(maxsize=1024)
def _class(cls: CharClass) -> str:
    return f"[{''.join(_range(*part) for low, high in cls.positive for part in _parts(ord(low), ord(high)))}]"


def _parts(low: int, high: int) -> list[tuple[int, int]]:
    """A range, cut where the first or first two bytes of its last character's UTF-8 begin, unless it is whole there.

    xgrammar before 0.2.8 takes nothing behind such a place: of U+00A0 to U+D7FF it loses all from U+D000 on.
    """
    parts: list[tuple[int, int]] = []
    while low <= high:
        cuts = (high >> bits << bits for bits in (12, 18) if (high + 1) % (1 << bits) and high != sys.maxunicode)
        start = next((cut for cut in cuts if low < cut), low)
        parts.append((start, high))
        high = start - 1
    return parts[::-1]


def _range(low: int, high: int) -> str:
    return _in_class(low) if low == high else f"{_in_class(low)}-{_in_class(high)}"


def _in_class(code: int) -> str:
    char = chr(code)
    return _escape(char, _IN_CLASS if char.isascii() else char)


def _escape(char: str, special: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char in special or _SPECIAL.match(char):
        return f"\\u{ord(char):04x}" if char <= "\uffff" else f"\\U{ord(char):08x}"
    return char


def _escape_match(match: re.Match[str]) -> str:
    return '\\"' if match[0] == '"' else _escape(match[0], "")
