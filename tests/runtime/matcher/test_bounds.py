"""The bounds of completions hold, and asking them first changes no mask."""

from __future__ import annotations

import random

import numpy as np
import pytest

from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.bounds import Bounds
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE, costs
from agentic_dsl.runtime.matcher.frames import feed, finish, settle
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.nodes import POLICY
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks.constraint_sets import SETS, constraint_set

BYTES = load_tokenizer("bytes")
OVERLAY = Overlay(trie_of(BYTES.vocabulary))
MOST_BYTES = 700


@pytest.mark.parametrize("number", range(0, SETS, 3))
def test_no_next_token_makes_a_completion_dearer_than_its_bound(number: int) -> None:
    plan = Plan.of(constraint_set(number))
    root = OVERLAY.trie.root
    bounds = Bounds(plan, OVERLAY.trie)
    rng = random.Random(number)
    frame, size = settle(start(plan)), 0
    while not frame.is_final and size < MOST_BYTES:
        exact = costs(root, finish(frame)).total
        assert exact <= bounds.completion(frame) <= IMPOSSIBLE
        most = bounds.after_any_token(frame.doc)
        following = bytes(byte for byte in frame.allowed() if byte < 0x80) or frame.allowed()
        for byte in following if most is not None else b"":
            after = frame.step(byte)
            assert after is not None
            assert most is not None
            assert costs(root, finish(after)).total <= most
        weights = [30 if byte in b'"]\n,' else 0.3 if byte in b"\\{" else 1 for byte in following]
        after = feed(frame, bytes(rng.choices(following, weights)))
        assert after is not None
        frame, size = settle(after), size + 1


def test_the_policy_has_a_place_for_every_type() -> None:
    assert sorted(POLICY) == sorted(GENERATED_TYPES)


def test_masks_with_an_ample_budget_are_those_without_one() -> None:
    from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher

    constraints = constraint_set(3)
    plan = Plan.of(constraints)
    free = SemanticMatcher(plan, BYTES, overlay=OVERLAY)
    bounded = SemanticMatcher(plan, BYTES, overlay=OVERLAY, max_output_tokens=100_000)
    one, other = allocate_bitmask(1, BYTES.vocab_size), allocate_bitmask(1, BYTES.vocab_size)
    rng = np.random.default_rng(1)
    for _ in range(300):
        free.fill_bitmask(one, 0)
        bounded.fill_bitmask(other, 0)
        assert (one == other).all()
        allowed = np.flatnonzero(np.unpackbits(one[0].view(np.uint8), bitorder="little")[: BYTES.vocab_size])
        token = int(rng.choice(allowed))
        assert free.accept(token)
        assert bounded.accept(token)
        if free.is_terminated():
            break
