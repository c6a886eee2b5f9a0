"""Lines and regular rules: what an engine that lexes before it parses needs to know of a grammar.

Such an engine reads text terminal by terminal, takes the longest match each time and never takes one back. So a
terminal must end where nothing could make it longer. In generated text that is the end of a line, and every line is
regular. `line_shapes` tells which rules are lines; `without_recursion` writes rules that need themselves at
their end as plain regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

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
    alt,
    many,
    references,
    seq,
)

_NAMED_FROM = 6
"""A part of this many expressions is named when it is used again, so that repeated use does not multiply it."""


Shapes = int
"""How the strings of an expression lie in lines: a set of the five bits below. Plain integers, for there are many."""

EMPTY_STRING: Shapes = 1
INLINE: Shapes = 2
"""Some characters, no newline."""
LINE: Shapes = 4
"""Ends with its only newline."""
LINES: Shapes = 8
"""Several newlines, one at the end."""
BROKEN: Shapes = 16
"""A newline somewhere, none at the end."""

_ALL = (EMPTY_STRING, INLINE, LINE, LINES, BROKEN)
PIECE = EMPTY_STRING | INLINE | LINE
"""What can be one terminal, or a part of one."""
CLOSED = EMPTY_STRING | LINE | LINES
"""What leaves off at the beginning of a line."""


def within(shapes: Shapes, allowed: Shapes) -> bool:
    """Whether an expression has no other shapes than the allowed ones."""
    return not shapes & ~allowed


def _joined_one(before: Shapes, after: Shapes) -> Shapes:
    if before == EMPTY_STRING or after == EMPTY_STRING:
        return after if before == EMPTY_STRING else before
    if after == INLINE:
        return INLINE if before == INLINE else BROKEN
    if after == LINE:
        return LINE if before == INLINE else LINES
    return after


def _joined_all(left: Shapes, right: Shapes) -> Shapes:
    joined = 0
    for before in _ALL:
        for after in _ALL:
            if left & before and right & after:
                joined |= _joined_one(before, after)
    return joined


_JOINED = tuple(tuple(_joined_all(left, right) for right in range(32)) for left in range(32))


def line_shapes(grammar: Grammar) -> Mapping[str, Shapes]:
    """The shapes of every rule: the least fixed point."""
    shapes: dict[str, Shapes] = dict.fromkeys((name for name, _ in grammar.rules), 0)
    users: dict[str, list[str]] = {name: [] for name in shapes}
    for name, expr in grammar.rules:
        for other in set(references(expr)):
            users[other].append(name)
    waiting = set(shapes)
    while waiting:
        for name, expr in reversed(grammar.rules):  # rules mostly mention later ones, so one round is nearly all
            if name in waiting:
                waiting.discard(name)
                found = shape_of(expr, shapes)
                if found != shapes[name]:
                    shapes[name] = found
                    waiting.update(users[name])
    return shapes


def shape_of(expr: Expr, shapes: Mapping[str, Shapes]) -> Shapes:
    """The shapes of an expression, given those of the rules that it mentions."""
    match expr:
        case Literal(text):
            return _shape_of_text(text)
        case CharClass():
            return INLINE | LINE if "\n" in expr else INLINE
        case Seq(items):
            shape = EMPTY_STRING
            for item in items:
                shape = _JOINED[shape][shape_of(item, shapes)]
            return shape
        case Alt(options):
            shape = 0
            for option in options:
                shape |= shape_of(option, shapes)
            return shape
        case Repeat(item, least, most):
            return _repeated(shape_of(item, shapes), least, most)
        case Ref(name):
            return shapes[name]
        case _:
            assert_never(expr)


def _shape_of_text(text: str) -> Shapes:
    if not text:
        return EMPTY_STRING
    if "\n" not in text:
        return INLINE
    if not text.endswith("\n"):
        return BROKEN
    return LINE if text.count("\n") == 1 else LINES


def _repeated(item: Shapes, least: int, most: int | None) -> Shapes:
    """The shapes of a repetition. Three items and more have the shapes of three, so counts are cut there."""
    first = min(least, 3)
    last = 3 if most is None else max(first, min(most, 3))
    shape, total = 0, EMPTY_STRING
    for times in range(last + 1):
        if times >= first:
            shape |= total
        total = _JOINED[total][item]
    return shape


# --- recursion -------------------------------------------------------------------------------------------------------


def without_recursion(grammar: Grammar) -> Grammar:
    """An equal grammar in which rules of lines and of parts of lines do not need themselves.

    Groups of rules that need each other are solved as equations, by Arden's rule: X = A X | B is A* B.

    Raises:
        ValueError: a part of a line needs itself elsewhere than at its end, so it is not regular.
    """
    shapes = line_shapes(grammar)
    rules = dict(grammar.rules)
    for group in _groups(grammar):
        if all(within(shapes[name], PIECE) for name in group):
            rules.update(_solved(group, rules))
    return Grammar.reachable(rules, grammar.root)


def _groups(grammar: Grammar) -> list[tuple[str, ...]]:
    """Sets of rules that need each other (or one that needs itself), in the order of the grammar."""
    needs = {name: tuple(dict.fromkeys(references(expr))) for name, expr in grammar.rules}
    reach: dict[str, set[str]] = {}
    for name in needs:
        seen: set[str] = set()
        waiting = list(needs[name])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting.extend(needs[other])
        reach[name] = seen
    groups: dict[tuple[str, ...], None] = {}
    for name in needs:
        if name in reach[name]:
            groups[tuple(other for other in needs if other in reach[name] and name in reach[other])] = None
    return list(groups)


_Equation = dict[str | None, Expr]
"""X = ∪ coefficient · target; the target None stands for nothing further."""


def _solved(group: tuple[str, ...], rules: Mapping[str, Expr]) -> dict[str, Expr]:
    """The rules of a group, each in terms of those before it only, and the parts that were given a name."""
    members = set(group)
    equations = {name: _equation(rules[name], members) for name in group}
    parts: dict[str, Expr] = {}
    for i in range(len(group) - 1, -1, -1):
        name = group[i]
        equation = equations[name]
        again = equation.pop(name, None)
        if again is not None:
            equation = equations[name] = {
                target: seq(many(again), coefficient) for target, coefficient in equation.items()
            }
        if not equation:
            raise ValueError(f'the rule "{name}" matches nothing')
        users = [equations[other] for other in group[:i] if name in equations[other]]
        if len(users) > 1:
            equation = {target: _named(name, target, expr, parts) for target, expr in equation.items()}
        for user in users:
            before = user.pop(name)
            for target, coefficient in equation.items():
                _add(user, target, seq(before, coefficient))
    return parts | {name: _expression(equation) for name, equation in equations.items()}


def _named(name: str, target: str | None, expr: Expr, parts: dict[str, Expr]) -> Expr:
    if _size(expr) < _NAMED_FROM:
        return expr
    part = f"{name}_to_{target}" if target is not None else f"{name}_to_end"
    parts[part] = expr
    return Ref(part)


def _expression(equation: _Equation) -> Expr:
    return alt(*(expr if target is None else seq(expr, Ref(target)) for target, expr in equation.items()))


def _add(equation: _Equation, target: str | None, expr: Expr) -> None:
    known = equation.get(target)
    equation[target] = expr if known is None else alt(known, expr)


def _equation(expr: Expr, members: set[str]) -> _Equation:
    """An expression as coefficients of the members that stand at its end."""
    if not _mentions(expr, members):
        return {None: expr}
    equation: _Equation = {}
    match expr:
        case Ref(name):
            equation[name] = EMPTY
        case Seq(items):
            if _mentions(Seq(items[:-1]), members):
                raise ValueError("a rule of a line needs itself in its middle")
            before = seq(*items[:-1])
            for target, coefficient in _equation(items[-1], members).items():
                _add(equation, target, seq(before, coefficient))
        case Alt(options):
            for option in options:
                for target, coefficient in _equation(option, members).items():
                    _add(equation, target, coefficient)
        case Repeat(item, 0, 1):
            equation = _equation(item, members)
            _add(equation, None, EMPTY)
        case Repeat():
            raise ValueError("a rule of a line needs itself in a repetition")
        case Literal() | CharClass():
            raise AssertionError(expr)  # they mention nothing
        case _:
            assert_never(expr)
    return equation


def _mentions(expr: Expr, members: set[str]) -> bool:
    return any(name in members for name in references(expr))


def _size(expr: Expr) -> int:
    match expr:
        case Seq(items) | Alt(items):
            return 1 + sum(map(_size, items))
        case Repeat(item):
            return 1 + _size(item)
        case _:
            return 1
