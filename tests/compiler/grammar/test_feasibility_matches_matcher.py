"""What `compile` refuses because nothing satisfies it is exactly what the semantic matcher cannot begin."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agentic_dsl.compiler.grammar.feasibility import require_feasible
from agentic_dsl.compiler.grammar.request import read_request
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from benchmarks.constraint_sets import sample

LIBRARIES = (
    LibrarySpec(path="/lib/x/total", signature="() -> {Total: number, a: any}"),
    LibrarySpec(path="/lib/x/flag", signature="(on: boolean) -> {b: any}", version="1"),
    LibrarySpec(path="/lib/x/two", signature="(q: string, on?: boolean) -> {a: any, c?: any}", version="2"),
)
TOOLS = (
    ToolSpec(name="now"),
    ToolSpec(
        name="set",
        parameters={"type": "object", "properties": {"to": {"type": "object"}}, "required": ["to"]},
    ),
    ToolSpec(
        name="pick",
        parameters={"type": "object", "properties": {"of": {"enum": ["a", "bcdef"]}}, "required": ["of"]},
    ),
)


def narrow(rng: random.Random) -> Constraints:
    """Constraints near the borders: few types, few nodes, tiny bounds, outputs that only calls can bring."""
    most = rng.choice([1, 2, 2, 3, 4, 30])
    fields: dict[str, Any] = {
        "max_nodes": most,
        "min_nodes": rng.randint(1, most),
        "allowed_node_types": tuple(rng.sample(GENERATED_TYPES, rng.choice([1, 1, 2, 2, 3]))),
        "libraries": tuple(rng.sample(LIBRARIES, rng.choice([0, 1, 2]))),
        "max_text_chars": rng.choice([400, 400, 9, 8, 4, 3, 1]),
        "max_identifier_chars": rng.choice([32, 5, 3, 1]),
        "max_subgraph_depth": rng.randint(0, 1),
    }
    if rng.random() < 0.3:
        fields["max_subgraphs"] = rng.choice([2, 3, 30])
    if rng.random() < 0.4:
        fields["tools"] = tuple(rng.sample(TOOLS, rng.randint(0, 2)))
    if rng.random() < 0.5:
        wanted = tuple(rng.sample(("Total", "a", "b", "on", "there"), rng.randint(0, 2)))
        fields["context"] = ContextSignature(available_vars=("there",), required_outputs=wanted)
    elif rng.random() < 0.4:
        fields["signature"] = rng.choice(["(there?: any) -> {there: any}", "() -> {a: any}", "() -> {a?: any}"])
    if rng.random() < 0.2:
        fields["targets"] = tuple(f"/dynamic/plan/{letter}" for letter in "abcdefghijklmopqrstuvwxz")
    return Constraints(**fields)


def refusal(constraints: Constraints, by: Any) -> str | None:
    try:
        by(constraints)
    except ConstraintError as error:
        return error.message
    return None


@pytest.mark.parametrize("make", [sample, narrow])
def test_compile_and_matcher_refuse_the_same_requests(make: Any) -> None:
    refused = 0
    for seed in range(700):
        try:
            constraints = make(random.Random(seed))
        except ConstraintError:
            continue  # it contradicts itself, before anyone compiles it
        ours = refusal(constraints, lambda c: require_feasible(read_request(c)))
        theirs = refusal(constraints, Plan.of)
        assert (ours is None) == (theirs is None), (seed, constraints, ours, theirs)
        refused += ours is not None
    assert 50 < refused < 600


def test_what_is_not_refused_has_an_answer() -> None:
    for seed in range(150):
        constraints = narrow(random.Random(seed))
        if refusal(constraints, Plan.of) is None:
            tracker = SemanticTracker(constraints)
            assert tracker.accept(tracker.completion())
            assert tracker.is_complete
