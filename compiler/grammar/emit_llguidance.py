"""`Grammar` → Lark as llguidance 1.9 reads it.

llguidance lexes before it parses: it takes the longest terminal each time and never takes one back. Therefore every
terminal here is one whole line: lines are regular, and a newline stands nowhere else. Where several lines are
possible, several terminals run side by side and the parser keeps those that fit. Beginnings of lines that are
shared (``type: ``, ``tool: ``) are multiplied out over what may follow them.

Terminals are named in capitals, after the rule that they come from; the text is the same for the same grammar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from agentic_dsl.compiler.grammar.emit_xgrammar import count
from agentic_dsl.compiler.grammar.ir import (
    EMPTY,
    Alt,
    CharClass,
    Expr,
    Grammar,
    Literal,
    Ref,
    Repeat,
    Seq,
    references,
    repeat,
    seq,
)
from agentic_dsl.compiler.grammar.prose import PROSE_RULE
from agentic_dsl.compiler.grammar.regular import (
    CLOSED,
    EMPTY_STRING,
    INLINE,
    LINE,
    PIECE,
    Shapes,
    line_shapes,
    shape_of,
    within,
    without_recursion,
)

ROOT = "start"
"""The name that llguidance starts from."""


def emit_llguidance(grammar: Grammar) -> str:
    """The grammar as Lark text; the root rule comes out as ``start``.

    Raises:
        ValueError: a line of the grammar is not regular, or a newline may or may not end a repeated part of it.
    """
    lark = LarkText(without_recursion(grammar))
    lark.define(ROOT, lark.expression(lark.grammar.by_name[grammar.root]))
    return lark.text()


@dataclass(slots=True)
class LarkText:
    """Lark text in the making: rules in the order of their first use, then the terminals that they need.

    Attributes:
        grammar: where references lead; its lines must be free of recursion (see `without_recursion`).
    """

    grammar: Grammar
    _rules: dict[str, str] = field(default_factory=dict)
    _terminals: dict[str, Expr] = field(default_factory=dict)
    _names: dict[Expr, str] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)
    _shapes: Mapping[str, Shapes] = field(init=False)
    _current: str = ROOT

    def __post_init__(self) -> None:
        self._shapes = line_shapes(self.grammar)

    def define(self, name: str, body: str) -> None:
        """Adds a rule that is written already."""
        self._rules[name] = body

    def expression(self, expr: Expr) -> str:
        """An expression that begins at the beginning of a line, as the right side of a rule."""
        return _choice(self._ways(EMPTY, (expr,)))

    def part(self, name: str) -> str:
        """The lines behind a rule of the grammar, as one item of a right side; nothing where they are always empty."""
        ways = self._ways(EMPTY, (Ref(name),))
        return "" if ways == [""] else _group(ways)

    def text(self) -> str:
        """All rules, the root first, then all terminals, by name where they stand for parts."""
        rules = {ROOT: self._rules[ROOT], **self._rules}
        lines = [f"{name}: {body}\n" for name, body in rules.items()]
        written: dict[str, None] = {}
        waiting = list(reversed(self._terminals))
        while waiting:
            name = waiting.pop()
            if name in written:
                continue
            written[name] = None
            expr = self._terminals.get(name)
            if expr is None:
                expr = self.grammar.by_name[name.lower()]
            lines.append(f"{name}: {_terminal_text(expr)}\n")
            waiting.extend(part.upper() for part in reversed(tuple(references(expr))))
        return "".join(lines)

    # --- rules: sequences of lines ---

    def _rule(self, name: str) -> str:
        """The rule of several lines behind a reference, written on its first use."""
        if name not in self._rules:
            self._rules[name] = ""  # holds its place, and ends recursion
            before, self._current = self._current, name
            self._rules[name] = self.expression(self.grammar.by_name[name])
            self._current = before
        return name

    def _ways(self, prefix: Expr, items: Sequence[Expr]) -> list[str]:
        """Every way to go on, where ``prefix`` is the beginning of the line at hand."""
        if not items:
            return ["" if prefix == EMPTY else self._terminal(prefix)]
        first, rest = items[0], items[1:]
        shape = shape_of(first, self._shapes)
        if shape == EMPTY_STRING:
            return self._ways(prefix, rest)
        if within(shape, EMPTY_STRING | INLINE):
            return self._ways(seq(prefix, first), rest)
        if shape == LINE:
            return self._then(self._terminal(seq(prefix, first)), rest)
        at_start = prefix == EMPTY
        closed = within(shape, CLOSED) and (at_start or not shape & EMPTY_STRING)
        match first:
            case Literal(text):
                line, newline, more = text.partition("\n")
                return self._then(self._terminal(seq(prefix, line + newline)), (Literal(more), *rest))
            case Seq(parts):
                return self._ways(prefix, (*parts, *rest))
            case Ref(name):
                if name == PROSE_RULE:  # nothing follows it, so however far the longest match reaches, it is right
                    return [self._terminal(first)]
                if at_start and closed and not within(shape, PIECE):
                    return self._then(self._rule(name), rest)
                return self._ways(prefix, (self.grammar.by_name[name], *rest))
            case Alt(options):
                if closed and rest:
                    return self._then(_group([w for option in options for w in self._ways(prefix, (option,))]), rest)
                return [way for option in options for way in self._ways(prefix, (option, *rest))]
            case Repeat(item, least, most):
                inner = shape_of(item, self._shapes)
                if at_start and within(inner, CLOSED) and not inner & EMPTY_STRING:
                    return self._then(_group(self._ways(EMPTY, (item,)), count(least, most)), rest)
                if most is None and inner & INLINE:
                    raise ValueError("a repeated part holds a newline or none, so no line of it ends for sure")
                fewer = repeat(item, max(least - 1, 0), None if most is None else most - 1)
                ways = self._ways(prefix, (item, fewer, *rest))
                return ways if least else [*ways, *self._ways(prefix, rest)]
            case CharClass():
                raise ValueError("a class of characters holds the newline and others")
            case _:
                assert_never(first)

    def _then(self, symbol: str, rest: Sequence[Expr]) -> list[str]:
        """A symbol that ends its line, before everything that may follow."""
        ways = self._ways(EMPTY, rest)
        if len(ways) > 1:
            return [f"{symbol} {_group(ways)}"]
        return [f"{symbol} {ways[0]}".rstrip()]

    # --- terminals: one line each ---

    def _terminal(self, expr: Expr) -> str:
        if isinstance(expr, Literal):
            return lark_string(expr.text)
        if isinstance(expr, Ref):
            self._terminals.setdefault(expr.name.upper(), self.grammar.by_name[expr.name])
            return expr.name.upper()
        if (name := self._names.get(expr)) is None:
            # Two underscores: no rule is named so, hence no terminal that stands for one either.
            self._numbers[self._current] += 1
            name = self._names[expr] = f"{self._current.upper()}__{self._numbers[self._current]}"
            self._terminals[name] = expr
        return name


def _choice(ways: Sequence[str]) -> str:
    """Alternatives; an empty one is written out."""
    return " | ".join(dict.fromkeys(way or '""' for way in ways))


def _group(ways: Sequence[str], suffix: str = "") -> str:
    text = _choice(ways)
    single = len(ways) == 1 and " " not in text
    return text + suffix if single else f"({text}){suffix}"


# --- text ------------------------------------------------------------------------------------------------------------


def _terminal_text(expr: Expr) -> str:
    match expr:
        case Literal(text):
            return lark_string(text)
        case CharClass():
            return _class(expr)
        case Seq(items):
            return " ".join(_inner(item) for item in items)
        case Alt(options):
            return " | ".join(_terminal_text(option) for option in options)
        case Repeat(item, least, most):
            return _inner(item, repeated=True) + count(least, most)
        case Ref(name):
            return name.upper()
        case _:
            assert_never(expr)


def _inner(expr: Expr, *, repeated: bool = False) -> str:
    text = _terminal_text(expr)
    loose = isinstance(expr, Alt) or (repeated and isinstance(expr, Seq | Repeat))
    return f"({text})" if loose else text


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


def lark_string(text: str) -> str:
    """A string of Lark, which llguidance reads as one of JSON."""
    return f'"{"".join(map(_in_string, text))}"'


def _in_string(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    return f"\\u{ord(char):04x}" if char < " " or "\x7f" <= char <= "\x9f" else char


_SURROGATES = (0xD800, 0xDFFF)


def _class(cls: CharClass) -> str:
    """A class as a regular expression of Rust, whose characters are Unicode scalar values: no surrogates."""
    ranges = [span for low, high in cls.ranges for span in _scalar_spans(ord(low), ord(high))]
    inside = "".join(_code(low) if low == high else f"{_code(low)}-{_code(high)}" for low, high in ranges)
    return f"/[{'^' if cls.negated else ''}{inside}]/"


def _scalar_spans(low: int, high: int) -> list[tuple[int, int]]:
    first, last = _SURROGATES
    parts = (
        [(low, min(high, first - 1)), (max(low, last + 1), high)] if low <= last and high >= first else [(low, high)]
    )
    return [(start, end) for start, end in parts if start <= end]


def _code(code: int) -> str:
    return chr(code) if chr(code).isascii() and chr(code).isalnum() else f"\\x{{{code:x}}}"
