"""One expression or statement of a template, by ``template.lark``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, assert_never

from lark import TextSlice, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import END, built, expectation
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.string_literal import unescaped
from agentic_dsl.span import Span
from agentic_dsl.template import (
    Binary,
    Call,
    Constant,
    Context,
    Expression,
    Item,
    ListOf,
    Member,
    Name,
    ObjectOf,
    Unary,
)

MAX_DEPTH = 100
"""How deep expressions, and statements, may nest; whoever walks the tree may recurse."""

_SPELLINGS = {"&&": "and", "||": "or", "!": "not"}
"""Operators as C and JavaScript write them → the operator."""

_A_VALUE = "a value"
_AN_OPERATOR = "an operator"
_WORDS = {
    **dict.fromkeys(("NAME", "DOLLAR", "STRING", "NUMBER", "WORD", "LEFT_BRACE"), _A_VALUE),
    **dict.fromkeys(("OR", "AND", "COMPARE", "STAR", "SLASH", "PERCENT", "CARET"), _AN_OPERATOR),
    "MEMBER": "a field name",
    "INDEX": "an index",
    "COMMA": '","',
    "COLON": '":"',
    "EQUAL": '"="',
    "CLOSE": '")"',
    "RIGHT": '"]"',
    "RIGHT_BRACE": '"}"',
    "IF": '"if"',
    END: "the end",
}
_FOR_WORDS = _WORDS | {"NAME": "a name", "IN": '"in"'}
"""The words where ``in`` is no operator: the heads of ``for`` and ``set``."""

_CHOICE = "choose between values with {% if … %} … {% else %} … {% endif %}"
_REMEDIES = {
    "is": "ask exists(name) whether a value is there, and == what it equals",
    "if": _CHOICE,
    "?": _CHOICE,
    "=": "compare with ==",
    "===": "compare with ==",
    "~": "join texts with +",
    "**": "write ^ for a power",
    "//": "divide with /",
    "(": "call a function by its name, as in upper(name) or name | upper",
    "}": "close every bracket that is opened, and only those",
    ")": "close every bracket that is opened, and only those",
    "]": "close every bracket that is opened, and only those",
    '"': "close the string with the quote that opens it",
    "'": "close the string with the quote that opens it",
    "`": "quote strings with double or single quotes",
    ";": "write one expression, without a semicolon",
    "$": "read the context with $. and a name, as in $.user.name",
}
"""What stands in the way → what its author most likely wants."""

_OFFENDER = re.compile(r"\w+|===|\*\*|//|.", re.DOTALL)


class Statement(NamedTuple):
    """The inside of one ``{% … %}``.

    Attributes:
        word: ``if``, ``else if``, ``else``, ``endif``, ``for``, ``endfor`` or ``set``.
        names: what a ``for`` or ``set`` binds.
        expression: the condition, iterable or value; None where the statement has none.
    """

    word: str
    names: tuple[str, ...] = ()
    expression: Expression | None = None


def _from(first: Token | Expression | None, last: Token | Expression | None) -> Span:
    """The span from one part of a rule to another, both inclusive."""
    start = first.start_pos if isinstance(first, Token) else first.span.start if first is not None else 0
    end = last.end_pos if isinstance(last, Token) else last.span.end if last is not None else 0
    return Span(start or 0, end or 0)


def _span(token: Token) -> Span:
    return _from(token, token)


@v_args(inline=True)
class _Build(Transformer[Token, object]):
    """Makes expressions and statements of the rules of ``template.lark``."""

    def name(self, token: Token) -> Expression:
        return Name(str(token), _span(token))

    def context(self, token: Token) -> Expression:
        return Context(_span(token))

    def string(self, token: Token) -> Expression:
        return Constant(unescaped(token), _span(token))

    def number(self, token: Token) -> Expression:
        # Python refuses to convert very long digit strings, and floats hold whatever comes.
        whole = token.isdigit() and len(token) < 4000
        return Constant(int(token) if whole else float(token), _span(token))

    def word(self, token: Token) -> Expression:
        return Constant({"true": True, "false": False, "null": None}[token], _span(token))

    def group(self, opening: Token, inner: Expression, closing: Token) -> Expression:
        return replace(inner, span=_from(opening, closing))

    def list_of(self, *parts: Token | Expression) -> Expression:
        items = tuple(part for part in parts if not isinstance(part, Token))
        return ListOf(items, _from(parts[0], parts[-1]))

    def pair(self, key: Token, _colon: Token, value: Expression) -> tuple[str, Expression]:
        return unescaped(key), value

    def object_of(self, *parts: Token | tuple[str, Expression]) -> Expression:
        first, last = parts[0], parts[-1]
        assert isinstance(first, Token)  # the braces
        assert isinstance(last, Token)
        return ObjectOf(tuple(part for part in parts if not isinstance(part, Token)), _from(first, last))

    def keyword(self, _name: Token, _equal: Token, value: Expression) -> Expression:
        return value

    def arguments(self, *parts: Token | Expression) -> tuple[Expression, ...]:
        return tuple(part for part in parts if not isinstance(part, Token))

    def call(self, function: Token, *rest: Token | tuple[Expression, ...]) -> Expression:
        closing = rest[-1]
        assert isinstance(closing, Token)  # the parenthesis
        return Call(str(function), _given(rest), span=_from(function, closing))

    def piped(
        self, value: Expression, _pipe: Token, function: Token, *rest: Token | tuple[Expression, ...]
    ) -> Expression:
        last = rest[-1] if rest else function
        assert isinstance(last, Token)  # the parenthesis
        return Call(str(function), (value, *_given(rest)), piped=True, span=_from(value, last))

    def member(self, base: Expression, _dot: Token, name: Token) -> Expression:
        return Member(base, str(name), _from(base, name))

    def index(self, base: Expression, _dot: Token, number: Token) -> Expression:
        return Item(base, Constant(int(number), _span(number)), _from(base, number))

    def item(self, base: Expression, _left: Token, index: Expression, right: Token) -> Expression:
        return Item(base, index, _from(base, right))

    def unary(self, operator: Token, operand: Expression) -> Expression:
        return Unary(_SPELLINGS.get(operator, str(operator)), operand, _from(operator, operand))

    def binary(self, left: Expression, operator: Token, right: Expression) -> Expression:
        return Binary(left, _SPELLINGS.get(operator, str(operator)), right, _from(left, right))

    def not_in(self, left: Expression, _not: Token, _in: Token, right: Expression) -> Expression:
        span = _from(left, right)
        return Unary("not", Binary(left, "in", right, span), span)

    def if_statement(self, _if: Token, condition: Expression) -> Statement:
        return Statement("if", (), condition)

    def else_if_statement(self, *parts: Token | Expression) -> Statement:
        condition = parts[-1]
        assert not isinstance(condition, Token)  # the rule ends in it
        return Statement("else if", (), condition)

    def bare_statement(self, word: Token) -> Statement:
        return Statement(str(word))

    def for_statement(self, _for: Token, *parts: Token | Expression) -> Statement:
        names = tuple(str(part) for part in parts if isinstance(part, Token) and part.type == "NAME")
        iterable = parts[-1]
        assert not isinstance(iterable, Token)  # the rule ends in it
        return Statement("for", names, iterable)

    def set_statement(self, _set: Token, name: Token, *parts: Token | Expression) -> Statement:
        value = parts[-1]
        assert not isinstance(value, Token)  # the rule ends in it
        return Statement("set", (str(name),), value)


BUILD = _Build()


def _given(parts: tuple[Token | tuple[Expression, ...], ...]) -> tuple[Expression, ...]:
    return next((part for part in parts if not isinstance(part, Token)), ())


def read_expression(text: str, start: int, end: int) -> Expression | Problem:
    """The expression in ``text[start:end]``, with spans into ``text``."""
    while start < end and text[start].isspace():
        start += 1
    if start == end:
        return Problem("the template holds no expression", "write the value that is to stand here", Span(start, end))
    try:
        found: Expression = built("template", TextSlice(text, start, end), BUILD, start="expression")
    except UnexpectedInput as error:
        return _problem(error, text, start, end)
    return _bounded(found, Span(start, end))


def read_statement(text: str, start: int, end: int) -> Statement | Problem:
    """The statement in ``text[start:end]``, with spans into ``text``."""
    try:
        found: Statement = built("template", TextSlice(text, start, end), BUILD, start="statement")
    except UnexpectedInput as error:
        return _problem(error, text, start, end)
    if found.expression is None:
        return found
    bounded = _bounded(found.expression, Span(start, end))
    return bounded if isinstance(bounded, Problem) else found


def _problem(error: UnexpectedInput, text: str, start: int, end: int) -> Problem:
    """What a person needs to know of an expression or statement that cannot be read."""
    head = text[start:end].lstrip()
    words = _FOR_WORDS if head.startswith(("for", "set")) else _WORDS
    while end > start and text[end - 1].isspace():
        end -= 1
    offset, expected = expectation(error, words, length=end)
    if offset >= end:
        help = f"write {expected} here" if expected else "complete it"
        return Problem(f"the template expression ends where {expected or 'more'} is expected", help, Span(end, end))
    offender = _OFFENDER.match(text, offset, end)
    found = offender[0] if offender else text[offset]
    span = Span(offset, offset + len(found))
    if not found.isascii() and found.isidentifier():
        return Problem(
            f"{quoted(found)} is no name that a template can read",
            "name context keys with the letters a to z, digits and _",
            span,
        )
    if found in (")", "]", "}"):
        return Problem(f'"{found}" closes nothing', _REMEDIES[found], span)
    if isinstance(error, UnexpectedCharacters) or not expected:
        return Problem(f"{quoted(found)} means nothing in a template", _REMEDIES.get(found, "remove it"), span)
    remedy = _REMEDIES.get(found, f"write {expected} here")
    return Problem(f"{quoted(found)} stands in a template where {expected} is expected", remedy, span)


def _bounded(expression: Expression, span: Span) -> Expression | Problem:
    """The expression, or a problem where it is deeper than `MAX_DEPTH`. Walks without recursion, for it may be."""
    if span.end - span.start <= MAX_DEPTH:
        return expression  # every level takes a character
    level: list[Expression] = [expression]
    for _ in range(MAX_DEPTH):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return expression
    return Problem(
        f"a template expression nests deeper than {MAX_DEPTH} levels",
        "compute parts of it in assign nodes before",
        span,
    )


def _parts(expression: Expression) -> Iterator[Expression]:
    """The expressions one level inside; the fields and indexes of a chain stand side by side, however long it is."""
    base = expression
    while isinstance(base, Member | Item):
        if isinstance(base, Item):
            yield base.index
        base = base.base
    if base is not expression:
        yield base
    else:
        yield from children(expression)


def children(expression: Expression) -> Iterator[Expression]:
    """The expressions directly inside one."""
    match expression:
        case Constant() | Name() | Context():
            pass
        case Member(base):
            yield base
        case Item(base, index):
            yield base
            yield index
        case Call(_, arguments):
            yield from arguments
        case Unary(_, operand):
            yield operand
        case Binary(left, _, right):
            yield left
            yield right
        case ListOf(items):
            yield from items
        case ObjectOf(pairs):
            yield from (value for _, value in pairs)
        case _:
            assert_never(expression)
