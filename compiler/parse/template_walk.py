"""What a template holds, wherever it stands: parts, expressions, calls, loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from agentic_dsl.compiler.parse.template_tree import children
from agentic_dsl.template import Call, Expression, For, Forbidden, If, Literal, Output, Part, Set, Template


def calls(template: Template) -> Iterator[Call]:
    """Every call of a function or filter in a template."""
    for part in parts(template.parts):
        for root in expressions(part):
            for expression in descendants(root):
                if isinstance(expression, Call):
                    yield expression


def loops(template: Template) -> Iterator[For]:
    """Every loop of a template."""
    return (part for part in parts(template.parts) if isinstance(part, For))


def parts(listed: tuple[Part, ...]) -> Iterator[Part]:
    """Every part, those inside of statements included, in source order."""
    for part in listed:
        yield part
        match part:
            case If(arms, otherwise):
                for _, body in arms:
                    yield from parts(body)
                yield from parts(otherwise)
            case For(_, _, body):
                yield from parts(body)
            case Literal() | Output() | Set() | Forbidden():
                pass
            case _:
                assert_never(part)


def expressions(part: Part) -> tuple[Expression, ...]:
    """The expressions of a part itself, without those of the parts inside it."""
    match part:
        case Output(expression) | Set(_, expression) | For(_, expression, _):
            return (expression,)
        case If(arms):
            return tuple(condition for condition, _ in arms)
        case Literal() | Forbidden():
            return ()
        case _:
            assert_never(part)


def descendants(expression: Expression) -> Iterator[Expression]:
    """An expression and all inside it, outermost first; chains of fields may be long, so without recursion."""
    waiting = [expression]
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting.extend(reversed(list(children(expression))))
