"""Constraint sets for walks: `constraint_set` numbers them, so that a walk is a number and a seed.

The first sets are systematic: each node type, each pair of types, and each feature alone. The others combine features
by a generator seeded with their number. Every numbered set admits a document; `sample` may give some that do not.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from typing import Any

from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES
from benchmarks.tool_sets import TOOLS, random_tool

SETS = 240
"""How many sets walks go through."""

MIXED = (SETS, SETS + 1)
"""The sets behind them, in which an answer may be plain text; walks are numbered without them."""

LIBRARIES = (
    LibrarySpec(path="/lib/math/add", signature="(a: number, b: number) -> {sum: number}", version="1"),
    LibrarySpec(
        path="/lib/human/approval", signature="(request: string) -> {approved: boolean, comment?: string}", version="1"
    ),
    LibrarySpec(path="/lib/x/flag", signature="(on: boolean, n?: integer) -> {res: any}"),
    LibrarySpec(path="/lib/x/flagged", signature="() -> {price: any, res: any}"),
    LibrarySpec(path="/lib/x/fl", signature="(xs: array<string>, o?: object) -> {query: string}", version="2.0.1"),
    LibrarySpec(path="/lib/workflow/each", signature="(res: any) -> {Results: array, a?: any}"),
)

SIGNATURES = (
    "(q: string) -> {res: string}",
    "(q: string, n?: integer) -> {q: string, title?: string}",
    "() -> {a: number, b: number, c: array<string>}",
    "(inputs: object, default: any) -> {default: any}",
    "(mode?: fast|slow, n: integer = 3) -> ()",
)

CONTEXT = ("query", "inputs", "length_of", "x", "default", "not", "env", "Upper", "now", "end", "a", "true", "length")
OUTPUTS = ("res", "price", "query", "a")
TARGETS = (
    "/end",
    "/end_soft",
    "/__system__/noop",
    "/main/other",
    "/dynamic/plan/zed",
    "/dynamic/plan",
    "/dynamic/a/b",
    "/lib/math/add",
)
PATHS = ("/lib/workflow/x", "/lib/math/y", "/lib/dslgraph/z", "/dynamic/a/b", "/dynamic/a/b-2/C_3")
PERMISSIONS = (
    "tool: search",
    "tool: now",
    "tool: nothing",
    "network",
    "runtime: python3",
    "runtime: node",
    "file: read",
    "generate_subgraph",
)

Fields = dict[str, Any]


@cache
def constraint_set(number: int) -> Constraints:
    """The set of a number; the same in every process and version of Python.

    Raises:
        ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError("constraint sets are numbered from 0")
    if number in MIXED:
        return _mixed()[number - SETS]
    corners = _corners()
    if number < len(corners):
        return corners[number]
    rng = random.Random(number)
    while True:
        constraints = sample(rng)
        if admits(constraints):
            return constraints


def admits(constraints: Constraints) -> bool:
    """Whether the matcher finds that a document satisfies the constraints."""
    from agentic_dsl.runtime.matcher.plan import Plan

    try:
        Plan.of(constraints)
    except ConstraintError:
        return False
    return True


@cache
def _corners() -> tuple[Constraints, ...]:
    made = (_made(fields) for fields in (*_type_sets(), *_single_features()))
    return tuple({constraints.canonical_json: constraints for constraints in made}.values())


def _made(fields: Mapping[str, Any]) -> Constraints:
    """Constraints of these fields; with ``end`` among the types where nothing can be written without."""
    made = Constraints(**fields)
    if made.allowed_node_types is None or admits(made):
        return made
    return Constraints(**{**fields, "allowed_node_types": (*made.allowed_node_types, "end")})


def _type_sets() -> list[Fields]:
    """Each type alone, with few and with many nodes, and each pair of types."""
    context = ContextSignature(available_vars=("x",))
    sets: list[Fields] = []
    for name in GENERATED_TYPES:
        sets.append({"allowed_node_types": (name,), "max_nodes": 1, "context": context})
        sets.append({"allowed_node_types": (name, "fork", "join", "end"), "max_nodes": 7, "max_text_chars": 20})
    pairs = combinations(GENERATED_TYPES, 2)
    sets += [{"allowed_node_types": pair, "max_nodes": 6, "max_identifier_chars": 3} for pair in pairs]
    return sets


def _single_features() -> list[Fields]:
    """Each feature alone, at values where something can go wrong."""
    sets: list[Fields] = [{"max_nodes": count, "min_nodes": count} for count in (1, 2, 3, 10, 50)]
    sets += [{"max_nodes": 8, "max_text_chars": most} for most in (1, 2, 7, 8, 9, 10, 11, 15)]
    sets += [{"max_nodes": 30, "max_identifier_chars": most} for most in (1, 2, 3)]
    sets += [{"max_nodes": 6, "libraries": (library,)} for library in LIBRARIES]
    sets += [{"max_nodes": 6, "signature": signature} for signature in SIGNATURES]
    sets += [{"max_nodes": 6, "path": path} for path in PATHS]
    sets += [{"max_nodes": 6, "targets": (target,)} for target in TARGETS]
    sets += [{"max_nodes": 6, "tools": (tool,), "permissions": PERMISSIONS} for tool in TOOLS]
    sets += [{"max_nodes": 6, "tools": tools} for tools in ((), TOOLS)]
    sets += [{"max_nodes": 6, "max_subgraph_depth": depth} for depth in (0, 1)]
    sets += [{"max_nodes": 6, "context": ContextSignature(required_outputs=OUTPUTS[:count])} for count in (1, 4)]
    sets += [{"max_nodes": 6, "context": ContextSignature(available_vars=CONTEXT)}]
    sets += _several_blocks()
    return sets


def _several_blocks() -> list[Fields]:
    """Answers that may, and one that must, have further blocks."""
    context = ContextSignature(available_vars=("x",), required_outputs=("res",))
    types = ("start", "generate_subgraph", "end")
    return [
        {"max_nodes": 12, "max_subgraphs": 2, "context": context, "permissions": PERMISSIONS},
        {"max_nodes": 6, "min_nodes": 6, "max_subgraphs": 4, "allowed_node_types": types, "max_identifier_chars": 3},
        {"max_nodes": 4, "min_nodes": 3, "max_subgraphs": 3, "allowed_node_types": ("start",)},
    ]


def _mixed() -> tuple[Constraints, ...]:
    """Mixed answers: of one block of few nodes, and with everything else that a request may have."""
    context = ContextSignature(available_vars=("x",), required_outputs=("res",))
    full: Fields = {"max_nodes": 12, "max_subgraphs": 2, "context": context, "tools": TOOLS, "libraries": LIBRARIES[:2]}
    return Constraints(max_nodes=2, allow_free_text=True), Constraints(**full, allow_free_text=True)


def sample(rng: random.Random, *, libraries: bool = True) -> Constraints:
    """One random constraint set; it may admit no document, which the matcher then says when it is made."""

    def often(probability: float) -> bool:
        return rng.random() < probability

    def some(pool: tuple[Any, ...], least: int, most: int) -> tuple[Any, ...]:
        return tuple(rng.sample(pool, rng.randint(least, most)))

    fields: Fields = {"max_nodes": rng.choice([1, 2, 3, 4, 5, 6, 8, 12, 20, 50])}
    if often(0.4):
        fields["min_nodes"] = rng.randint(1, min(fields["max_nodes"], 20))
    if often(0.6):
        fields["allowed_node_types"] = some(GENERATED_TYPES, 1, 6)
    if often(0.6):
        available = some(CONTEXT, 0, 4)
        fields["context"] = ContextSignature(
            available_vars=available, required_outputs=some(OUTPUTS, 0, rng.choice([0, 1, 2, 3]))
        )
    if often(0.3):
        fields["signature"] = rng.choice(SIGNATURES)
    if often(0.7):
        made = tuple(random_tool(rng, number) for number in range(rng.randint(0, 2)))
        fields["tools"] = (*some(TOOLS, 0, 3), *made)
    if libraries and often(0.4):
        fields["libraries"] = some(LIBRARIES, 1, 3)
    if often(0.3):
        fields["targets"] = some(TARGETS, 1, 3)
    if often(0.25):
        fields["permissions"] = some(PERMISSIONS, 1, 4)
    if often(0.25):
        fields["max_text_chars"] = rng.choice([1, 3, 8, 9, 10, 12, 15, 30])
    if often(0.3):
        fields["max_identifier_chars"] = rng.choice([1, 2, 3, 5])
    if often(0.25):
        fields["path"] = rng.choice(PATHS)
    if often(0.15):
        fields["max_subgraph_depth"] = 0
    return Constraints(**fields)
