"""Requests that no document satisfies, refused before anything is generated, with what to change."""

from __future__ import annotations

import re

from agentic_dsl.compiler.grammar.request import Request, excluded_by
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES, NODE_TABLE, Fork, Generated, Join, Start

_WORD = re.compile(r"[a-z][a-z0-9_]*")

_FORK_AND_JOINS = 3
"""Nodes of the smallest subgraph of forks and joins alone: a fork and its two branches, each a join."""


def require_feasible(request: Request) -> None:
    """Refuses a request for which there is no valid answer.

    Raises:
        ConstraintError: no type is left, no path can end, there cannot be enough nodes, or an output cannot be written.
    """
    _require_types(request)
    _require_an_end(request)
    _require_outputs(request)


def _require_types(request: Request) -> None:
    if request.types:
        return
    allowed = request.constraints.allowed_node_types or GENERATED_TYPES
    reasons = "; ".join(f"{name}: {excluded_by(name, request.constraints)}" for name in allowed)
    raise ConstraintError(f"no node type is left ({reasons})", help='allow another type, such as "assign"')


def _require_an_end(request: Request) -> None:
    """Some path from a first node ends within the number of nodes."""
    constraints = request.constraints
    types = set(request.types)
    named = ", ".join(request.types)
    enders = {name for name in types if NODE_TABLE[name].is_end or _has_next(name)} - {Join.TYPE}
    if not enders:
        if types == {Fork.TYPE, Join.TYPE} and constraints.max_nodes >= _FORK_AND_JOINS:
            return
        raise ConstraintError(
            f"no subgraph of {named} alone, with at most {constraints.max_nodes} nodes, can end",
            help='allow the type "end" or one that works, such as "assign"',
        )
    if enders == {Start.TYPE} and Join.TYPE not in types and constraints.min_nodes > 1:
        raise ConstraintError(
            f"min_nodes is {constraints.min_nodes}, and a subgraph of {named} alone that ends has one node",
            help='lower min_nodes, or allow another type, such as "assign"',
        )


def _has_next(name: str) -> bool:
    return any(f.path == ("next",) and f.generated is not Generated.NEVER for f in NODE_TABLE[name].fields)


def _require_outputs(request: Request) -> None:
    """What every end must have is there from the start, is given by a call, or is a key that some node can write."""
    constraints = request.constraints
    wanted = list(request.signature.required_outputs) if request.signature else []
    there = set(request.signature.required_inputs) if request.signature else set()
    if constraints.context is not None:
        wanted += constraints.context.required_outputs
        there |= set(constraints.context.available_vars)
    for signature in request.libraries.values():
        there |= set(signature.required_outputs)
    writers = [name for name in request.types if any(f.writes for f in NODE_TABLE[name].fields)]
    for name in wanted:
        if name in there:
            continue
        if not writers:
            raise ConstraintError(
                f'nothing can write the required output "{name}": the types allowed are {", ".join(request.types)}',
                help='allow a type that writes, such as "assign"',
            )
        if not _WORD.fullmatch(name) or name in YAML_WORDS or len(name) > constraints.max_identifier_chars:
            raise ConstraintError(
                f'the required output "{name}" is no key that generated text can write',
                help=f"name it with at most {constraints.max_identifier_chars} lower-case letters, digits and _",
            )
