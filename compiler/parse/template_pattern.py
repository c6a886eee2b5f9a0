"""What most templates are, read by one pattern instead of the grammar; a property test holds both readings equal.

The forms are those that generated text has (``language.md`` §6): ``{{ [$.]name(.field|.0|[0])* }}``, the same inside of
``length(…)`` or ``default(…, literal)``, and one comparison of two of these or of one with a literal.
"""

from __future__ import annotations

import re

from agentic_dsl.span import Span
from agentic_dsl.template import (
    Binary,
    Call,
    Constant,
    Context,
    Expression,
    Item,
    Literal,
    Member,
    Name,
    Output,
    Part,
    Template,
)

_NO_NAMES = frozenset({"and", "or", "not", "in", "true", "false", "null"})
_WORDS = {"true": True, "false": False, "null": None}

_STEPS = r"(?:\.[A-Za-z_][A-Za-z0-9_]*+|\.[0-9]{1,9}(?![0-9])|\[[0-9]{1,9}\])*+"
_LITERAL = r"""(?:true|false|null)\b|[0-9]{1,15}(?:\.[0-9]{1,15})?(?![0-9.eE\w])|"[^"\\{}]*+"|'[^'\\{}]*+'"""


def _operand(number: int) -> str:
    """A read, a call of a read, or a literal; the names of its groups end in ``number``."""
    return rf"""(?:
        (?P<literal{number}>{_LITERAL})
        | (?: (?P<function{number}>length|default)\( \s*+ )?
          (?P<context{number}>\$\.)? (?P<name{number}>[A-Za-z_][A-Za-z0-9_]*+) (?P<steps{number}>{_STEPS})
          (?(function{number}) \s*+ (?: , \s*+ (?P<otherwise{number}>{_LITERAL}) \s*+ )? \) ) )"""


_EXPRESSION = re.compile(
    rf"\{{\{{ \s*+ {_operand(1)} \s*+ (?: (?P<operator>[=!<>]=|[<>]) \s*+ {_operand(2)} \s*+ )? \}}\}}", re.VERBOSE
)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*+)|[.\[]([0-9]++)\]?")
_LOOKED_AT = re.compile(r"\{[%#]|ctx_snapshots|env|os[.\[]")
"""A text with one of these is left to the full reading: statements, comments, and uses that may be forbidden."""


def template_by_pattern(text: str) -> Template | None:
    """The fast reading of a text that holds ``{{``: None where anything but text and common templates stands in it."""
    if _LOOKED_AT.search(text):
        return None
    parts: list[Part] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        match = _EXPRESSION.match(text, start)
        expression = _expression(match) if match else None
        if match is None or expression is None:
            return None
        if start > at:
            parts.append(Literal(text[at:start], False, Span(at, start)))
        at = match.end()
        parts.append(Output(expression, Span(start, at)))
    if at < len(text):
        parts.append(Literal(text[at:], False, Span(at, len(text))))
    return Template(tuple(parts))


def _expression(match: re.Match[str]) -> Expression | None:
    """None where the pattern has taken a word of the language for a name."""
    left = _operand_of(match, "1")
    operator = match["operator"]
    if left is None or operator is None:
        return left
    right = _operand_of(match, "2")
    return None if right is None else Binary(left, operator, right, Span(left.span.start, right.span.end))


def _operand_of(match: re.Match[str], number: str) -> Expression | None:
    name = match["name" + number]
    if name is None:
        return _literal(match, "literal" + number)
    read = _read(match, name, number)
    if read is None or (function := match["function" + number]) is None:
        return read
    arguments: tuple[Expression, ...] = (read,)
    at = read.span.end
    if match["otherwise" + number] is not None:
        otherwise = _literal(match, "otherwise" + number)
        arguments = (read, otherwise)
        at = otherwise.span.end
    close = match.string.index(")", at) + 1
    return Call(function, arguments, False, Span(match.start("function" + number), close))


def _read(match: re.Match[str], name: str, number: str) -> Expression | None:
    """``[$.]name(.field|.0|[0])*``."""
    start, end = match.span("name" + number)
    read: Expression
    if match["context" + number]:
        first = start - 2
        read = Member(Context(Span(first, first + 1)), name, Span(first, end))
    elif name in _NO_NAMES:
        return None
    else:
        first = start
        read = Name(name, Span(first, end))
    if match["steps" + number]:
        for step in _STEP.finditer(match.string, *match.span("steps" + number)):
            if step[1]:
                read = Member(read, step[1], Span(first, step.end()))
            else:
                index = Constant(int(step[2]), Span(*step.span(2)))
                read = Item(read, index, Span(first, step.end()))
    return read


def _literal(match: re.Match[str], group: str) -> Constant:
    text, span = match[group], Span(*match.span(group))
    if text in _WORDS:
        return Constant(_WORDS[text], span)
    if text[0] in "\"'":
        return Constant(text[1:-1], span)
    return Constant(float(text) if "." in text else int(text), span)
