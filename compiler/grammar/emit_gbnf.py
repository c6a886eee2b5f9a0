r"""`Grammar` → GBNF, the dialect of llama.cpp.

Names hold letters, digits and hyphens. Literals and classes know ``\n \r \t \" \\ \[ \]`` and ``\xNN \uNNNN
\UNNNNNNNN`` with exactly that many digits.
"""

from __future__ import annotations

from typing import assert_never

from agentic_dsl.compiler.grammar.emit_xgrammar import count
from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Grammar, Literal, Ref, Repeat, Seq

MAX_REPETITIONS = 2000
"""llama.cpp refuses larger counts; it makes a rule for each repetition."""

SURROGATES = ("\ud800", "\udfff")

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_IN_LITERAL = {'"': '\\"'}
_IN_CLASS = {"]": "\\]", "[": "\\[", "^": "\\x5E", "-": "\\x2D"}


def emit_gbnf(grammar: Grammar) -> str:
    """The grammar as GBNF text; the root rule comes out as ``root``."""
    names = {name: "root" if name == grammar.root else name.replace("_", "-") for name, _ in grammar.rules}
    return "".join(f"{names[name]} ::= {_emit(expr, names)}\n" for name, expr in grammar.rules)


def _emit(expr: Expr, names: dict[str, str]) -> str:
    match expr:
        case Literal(text):
            return f'"{"".join(_escape(char, _IN_LITERAL) for char in text)}"'
        case CharClass(ranges, negated):
            # No UTF-8 text holds a surrogate, and readers that work on characters refuse to hear of them.
            shown = "".join(_range(bounds) for bounds in ranges if bounds != SURROGATES)
            return f"[{'^' if negated else ''}{shown}]"
        case Seq(items):
            return " ".join(_emit_inner(item, names) for item in items)
        case Alt(options):
            return " | ".join(_emit(option, names) for option in options)
        case Repeat(item, least, most):
            return _emit_inner(item, names, repeated=True) + count(least, most)
        case Ref(name):
            return names[name]
        case _:
            assert_never(expr)


def _emit_inner(expr: Expr, names: dict[str, str], *, repeated: bool = False) -> str:
    """An expression inside a sequence or before a count, in parentheses where it binds more loosely.

    A count after a literal of several characters would repeat the last one only.
    """
    text = _emit(expr, names)
    loose = isinstance(expr, Alt) or (repeated and isinstance(expr, Seq | Repeat | Literal))
    return f"({text})" if loose else text


def _range(bounds: tuple[str, str]) -> str:
    low, high = (_escape(char, _IN_CLASS) for char in bounds)
    return low if low == high else f"{low}-{high}"


def _escape(char: str, special: dict[str, str]) -> str:
    if char in _SHORT or char in special:
        return _SHORT.get(char) or special[char]
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0x9F:
        return f"\\x{code:02X}"
    if 0xD800 <= code <= 0xFFFF:
        return f"\\u{code:04X}"
    return char if code <= 0xFFFF else f"\\U{code:08X}"
