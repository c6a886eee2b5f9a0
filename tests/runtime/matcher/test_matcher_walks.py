"""Random walks: whatever is chosen, the answer is complete, within its budget and valid."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.runtime import models
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks import random_walks
from benchmarks.constraint_sets import SETS, admits, constraint_set
from benchmarks.random_walks import KINDS, Walk, Walker, judge

STEPS = 200
"""Bytes that a walk makes up before the completion policy ends it."""

SPARE = (0, 1, 5, 20, 60)
"""Tokens beyond the minimum; ``python -m benchmarks.random_walks`` gives more."""

PARTS = 8
"""Each test of all constraint sets comes in this many parts."""

FEW_NODES = 3
"""Sets of no more nodes have short walks; each is walked twice with a token for each byte."""


@pytest.mark.parametrize("part", range(PARTS))
def test_from_every_byte_the_completion_is_allowed_valid_and_prefix_consistent(part: int) -> None:
    for number in range(part, SETS, PARTS):
        rng = random.Random(number)
        constraints = constraint_set(number)
        frame, text = start(Plan.of(constraints)), bytearray()
        boosted = rng.random() < 0.7
        for at in range(STEPS):
            if frame.is_final:
                break
            following = frame.allowed()
            assert following, f"set {number}: dead end after {bytes(text[-100:])!r}"
            weights = [9 if boosted and byte in b'"}])\n,' else 1 for byte in following]
            byte = rng.choices(following, weights)[0]
            if at % 40 == 0:
                rest = finish(frame)
                cut = rng.randrange(len(rest))
                after = feed(frame, rest[:cut])
                assert after is not None
                assert finish(after) == rest[cut:]
                end = feed(frame, rest)
                assert end is not None
                assert end.is_final
                judge(bytes(text) + rest, constraints)
            after = frame.step(byte)
            assert after is not None
            frame = after
            text.append(byte)
        judge(bytes(text) + finish(frame), constraints)


@pytest.fixture(scope="module")
def walkers() -> dict[str, Walker]:
    return {}


def _walker(walkers: dict[str, Walker], name: str) -> Walker:
    if name == "smollm2" and models.model_path(name) is None:
        pytest.skip("the tokenizer of the model is not there: agentic-dsl models pull smollm2")
    if name not in walkers:
        walkers[name] = Walker(load_tokenizer(name), SPARE)
    return walkers[name]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ["bytes", "smollm2"])
def test_walks_through_every_constraint_set_are_complete_within_budget_and_valid(
    walkers: dict[str, Walker], name: str, part: int
) -> None:
    walker = _walker(walkers, name)
    first = SETS * (name == "smollm2")
    walks = [walker.walk(first + number) for number in range(part, SETS, PARTS)]
    assert [walk for walk in walks if walk.error] == []
    assert any(walk.tokens == walk.budget for walk in walks)


def _sets_of_few_nodes() -> list[int]:
    return [number for number in range(SETS) if constraint_set(number).max_nodes <= FEW_NODES]


@pytest.mark.parametrize("part", range(PARTS))
def test_a_second_walk_through_sets_of_few_nodes_is_as_good(walkers: dict[str, Walker], part: int) -> None:
    walker = _walker(walkers, "bytes")
    walks = [walker.walk(2 * SETS + number) for number in _sets_of_few_nodes()[part::PARTS]]
    assert [walk for walk in walks if walk.error] == []


def test_the_walks_number_more_than_five_hundred() -> None:
    assert 2 * SETS + len(_sets_of_few_nodes()) >= 520


def test_some_walks_are_of_sets_with_several_blocks_and_come_to_them(
    walkers: dict[str, Walker], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [number for number in range(SETS) if constraint_set(number).max_subgraphs > 1]
    blocks: list[int] = []

    def count(text: bytes, constraints: Constraints) -> None:
        judge(text, constraints)
        blocks.append(len(list(parse(text.decode()).subgraphs)))

    monkeypatch.setattr(random_walks, "judge", count)
    walks = [_walker(walkers, "bytes").walk(number) for number in numbers]
    assert [walk for walk in walks if walk.error] == []
    assert max(blocks) > 1


def test_constraint_sets_are_distinct_and_each_admits_a_document() -> None:
    sets = [constraint_set(number) for number in range(SETS)]
    assert len({one.canonical_json for one in sets}) == SETS >= 200
    assert all(map(admits, sets))
    assert {one.max_nodes for one in sets} >= {1, 2, 50}
    assert {name for one in sets for name in one.allowed_node_types or ()} == set(GENERATED_TYPES)
    assert any(one.block_path.is_library and one.signature is None for one in sets)


def test_half_of_the_walks_boost_closing_tokens_and_some_grow() -> None:
    assert KINDS.count("closing") * 2 == len(KINDS)
    assert set(KINDS) == {"closing", "none", "growing", "policy"}


def test_a_walk_is_the_same_each_time(walkers: dict[str, Walker]) -> None:
    walker = _walker(walkers, "bytes")
    first, again = walker.walk(77), walker.walk(77)
    assert (first.kind, first.tokens, first.budget) == (again.kind, again.tokens, again.budget)


def test_results_are_read_back_and_a_line_that_was_cut_off_is_not(tmp_path: Path) -> None:
    walk = Walk(3, "none", 9, 10, 0.5, 0.25)
    file = tmp_path / "walks.jsonl"
    line = json.dumps(walk.__dict__)
    file.write_text(f"{line}\n{line[:20]}")
    assert random_walks.known(file) == {3: walk}
    assert random_walks.known(tmp_path / "none") == {}


def test_a_broken_answer_is_reported_with_the_walk(walkers: dict[str, Walker], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: bytes, constraints: object) -> None:
        raise random_walks.WalkError("nothing is good enough")

    monkeypatch.setattr(random_walks, "judge", refuse)
    walk = _walker(walkers, "bytes").walk(5)
    assert walk.error == "WalkError: nothing is good enough"
    assert "0 of 1 walks" in next(random_walks.summary([walk]))
