"""What a template may not do although it can be read: reach the environment, or compute keys of snapshots."""

from __future__ import annotations

import re

from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.template_walk import descendants, expressions, parts
from agentic_dsl.template import (
    Call,
    Constant,
    Context,
    Expression,
    For,
    Item,
    Member,
    Name,
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
    found = tuple(parts(template.parts))
    local = {name for part in found if isinstance(part, For) for name in part.names}
    local |= {part.name for part in found if isinstance(part, Set)}
    for part in found:
        for root in expressions(part):
            for expression in descendants(root):
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
