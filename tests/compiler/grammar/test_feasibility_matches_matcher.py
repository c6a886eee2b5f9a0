"""What `compile` refuses because nothing satisfies it is exactly what the semantic matcher cannot begin."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agentic_dsl.compiler.grammar.feasibility import require_feasible
from agentic_dsl.compiler.grammar.request import read_request
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.runtime.matcher import plan_reader
from agentic_dsl.runtime.matcher.blocks import highest
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.nodes import types
from agentic_dsl.runtime.matcher.open_words import WORD, can_begin
from agentic_dsl.runtime.matcher.plan import END_ID, Plan
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


def begins(constraints: Constraints) -> bool:
    """Whether the matcher has a first node to offer, with which the number of nodes asked for can be reached."""
    plan = Plan.of(constraints)
    missing = [name for name in plan.required if name not in plan.begin and name not in plan.obtainable]
    if missing and not (plan.writes and all(map(plan.is_key, missing))):
        return False
    if highest(plan, 0, plan.limit, plan.further.number) is None:
        return False
    if not can_begin(WORD, plan.max_word, (), True, (YAML_WORDS, plan.reserved, (END_ID,))):
        return False
    return bool(types(start(plan).doc.declared("a")))


@pytest.mark.parametrize("make", [sample, narrow])
def test_what_is_refused_the_matcher_cannot_begin_and_what_is_not_it_can(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_reader, "require_feasible", lambda _request: None)
    refused = 0
    for seed in range(700):
        try:
            constraints = make(random.Random(seed))
        except ConstraintError:
            continue  # it contradicts itself, before anyone compiles it
        reason = refusal(constraints, lambda c: require_feasible(read_request(c)))
        assert (reason is None) == begins(constraints), (seed, constraints, reason)
        refused += reason is not None
    assert 50 < refused < 600


@pytest.mark.parametrize("make", [sample, narrow])
def test_what_is_not_refused_has_an_answer(make: Any) -> None:
    answered = 0
    for seed in range(150):
        try:
            tracker = SemanticTracker(make(random.Random(seed)))
        except ConstraintError:
            continue
        assert tracker.accept(tracker.completion())
        assert tracker.is_complete
        answered += 1
    assert answered > 30
