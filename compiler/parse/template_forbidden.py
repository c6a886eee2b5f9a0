"""What a template may not do although it can be read: reach the environment, or compute keys of snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.template_tree import children
from agentic_dsl.template import (
    Call,
    Constant,
    Context,
    Expression,
    For,
    Forbidden,
    If,
    Item,
    Literal,
    Member,
    Name,
    Output,
    Part,
    Set,
    Template,
)

_ENVIRONMENT_FUNCTIONS = frozenset({"env", "environ", "getenv", "get_env"})
ENVIRONMENT_NAMES = frozenset({"env", "environ", "os"})
"""Names whose members may mean the environment."""

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*|environ|getenv")
"""What is read of ``env`` and ``os`` when they mean the environment; ``env.region`` is a context key like any other."""

_SNAPSHOTS = "ctx_snapshots"
_TRIGGERS = ("env", "os", _SNAPSHOTS)


def forbidden_use(text: str, template: Template) -> Problem | None:
    """The first forbidden use in a template, None where there is none."""
    if not any(trigger in text for trigger in _TRIGGERS):
        return None
    parts = tuple(_walk(template.parts))
    local = {name for part in parts if isinstance(part, For) for name in part.names}
    local |= {part.name for part in parts if isinstance(part, Set)}
    for part in parts:
        for root in _expressions(part):
            for expression in _descendants(root):
                if problem := _environment(expression, local) or _computed_snapshot(expression):
                    return problem
    return None


def _environment(expression: Expression, local: set[str]) -> Problem | None:
    match expression:
        case Call(function) if function in _ENVIRONMENT_FUNCTIONS:
            name = function
        case Member(Name(name), read) if name in ENVIRONMENT_NAMES - local and _VARIABLE.fullmatch(read):
            pass
        case Item(Name(name), Constant(str(read))) if name in ENVIRONMENT_NAMES - local and _VARIABLE.fullmatch(read):
            pass
        case _:
            return None
    return Problem(
        f"the template reads the environment with {quoted(name)}",
        "put the value into the context before",
        expression.span,
        forbidden=True,
    )


def _computed_snapshot(expression: Expression) -> Problem | None:
    match expression:
        case Item(base, index) if _is_snapshots(base):
            key = index
        case Call("at", (base, index)) if _is_snapshots(base):
            key = index
        case _:
            return None
    if isinstance(key, Constant) and isinstance(key.value, str):
        return None
    return Problem(
        "the key of $.ctx_snapshots is not a literal string",
        'write the key itself, as in $.ctx_snapshots["/main/plan"]',
        key.span,
        forbidden=True,
    )


def _is_snapshots(expression: Expression) -> bool:
    match expression:
        case Name(name) | Member(Context(), name) | Item(Context(), Constant(str(name))):
            return name == _SNAPSHOTS
        case _:
            return False


def _walk(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Every part, those inside of statements included, in source order."""
    for part in parts:
        yield part
        match part:
            case If(arms, otherwise):
                for _, body in arms:
                    yield from _walk(body)
                yield from _walk(otherwise)
            case For(_, _, body):
                yield from _walk(body)
            case Literal() | Output() | Set() | Forbidden():
                pass
            case _:
                assert_never(part)


def _expressions(part: Part) -> tuple[Expression, ...]:
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


def _descendants(expression: Expression) -> Iterator[Expression]:
    """An expression and all inside it, outermost first; chains of fields may be long, so without recursion."""
    waiting = [expression]
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting.extend(reversed(list(children(expression))))
