"""Speculation: accept some tokens, take some back; masks are those of a fresh matcher fed with the rest."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary
from benchmarks.constraint_sets import SETS, constraint_set
from tests.strategies.profile import law

SPARE = (None, 0, 1, 7, 40, 200)
"""Budgets beyond the minimum; None for no budget."""


@cache
def _tokenizer() -> Tokenizer:
    """All bytes, and pieces of documents at every offset, which cross every border."""
    pieces: set[bytes] = set()
    for number in range(0, SETS, 8):
        text = SemanticMatcher(constraint_set(number), load_tokenizer("bytes")).completion().encode()
        pieces |= {text[at : at + size] for at in range(len(text)) for size in (2, 3, 5, 8)}
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(piece for piece in pieces if len(piece) > 1), None]
    vocabulary = Vocabulary(tuple(tokens), {len(tokens) - 1: "<end>"}, (len(tokens) - 1,))
    return Tokenizer("pieces", vocabulary, load_tokenizer("bytes").codec)


@cache
def _overlay() -> Overlay:
    return Overlay(trie_of(_tokenizer().vocabulary))


@cache
def _plan(number: int) -> Plan:
    return Plan.of(constraint_set(number))


def _matcher(number: int, spare: int | None) -> SemanticMatcher:
    tokenizer, plan = _tokenizer(), _plan(number)
    budget = None if spare is None else minimum_tokens(plan, tokenizer) + spare
    return SemanticMatcher(plan, tokenizer, max_output_tokens=budget, overlay=_overlay())


def _mask(matcher: SemanticMatcher) -> np.ndarray:
    size = _tokenizer().vocab_size
    bitmask = allocate_bitmask(1, size)
    matcher.fill_bitmask(bitmask, 0)
    return np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[:size]


def _go_on(matcher: SemanticMatcher, count: int, rng: random.Random) -> list[int]:
    """Accepts up to ``count`` random allowed tokens, long ones as likely as all the bytes together."""
    accepted: list[int] = []
    while len(accepted) < count and not matcher.is_terminated():
        allowed = np.flatnonzero(_mask(matcher))
        longer = allowed[allowed > 255]
        pool = longer if len(longer) and rng.random() < 0.5 else allowed
        accepted.append(int(pool[rng.randrange(len(pool))]))
        assert matcher.accept(accepted[-1])
    return accepted


def _assert_alike(one: SemanticMatcher, other: SemanticMatcher) -> None:
    assert one.is_terminated() == other.is_terminated()
    assert one.completion() == other.completion()
    assert one.jump_forward() == other.jump_forward()
    assert np.array_equal(_mask(one), _mask(other))


@law(60)
@given(st.integers(0, SETS - 1), st.sampled_from(SPARE), st.data())
def test_after_any_rounds_of_speculation_masks_are_those_of_a_fresh_matcher(
    number: int, spare: int | None, data: st.DataObject
) -> None:
    matcher, rng = _matcher(number, spare), random.Random(number)
    kept: list[int] = []
    for _ in range(data.draw(st.integers(1, 4))):
        kept += _go_on(matcher, data.draw(st.integers(0, 25)), rng)
        back = data.draw(st.integers(0, len(kept)))
        matcher.rollback(back)
        kept = kept[: len(kept) - back]
        fresh = _matcher(number, spare)
        assert all(fresh.accept(token_id) for token_id in kept)
        _assert_alike(matcher, fresh)


@law(30)
@given(st.integers(0, SETS - 1), st.sampled_from(SPARE), st.data())
def test_a_fork_and_its_origin_go_their_own_ways(number: int, spare: int | None, data: st.DataObject) -> None:
    matcher, rng = _matcher(number, spare), random.Random(number)
    shared = _go_on(matcher, data.draw(st.integers(0, 30)), rng)
    fork = matcher.fork()
    mine = _go_on(matcher, data.draw(st.integers(0, 15)), rng)
    fork.rollback(data.draw(st.integers(0, min(3, len(shared)))))
    before = _mask(fork)
    theirs = _go_on(fork, data.draw(st.integers(0, 15)), rng)
    fresh = _matcher(number, spare)
    assert all(fresh.accept(token_id) for token_id in (*shared, *mine))
    _assert_alike(matcher, fresh)
    fork.rollback(len(theirs))
    assert np.array_equal(_mask(fork), before)


@law(40)
@given(st.integers(0, SETS - 1), st.sampled_from(SPARE), st.integers(0, 40))
def test_what_the_mask_has_is_accepted_and_without_a_budget_nothing_else(
    number: int, spare: int | None, count: int
) -> None:
    matcher, rng = _matcher(number, spare), random.Random(number)
    _go_on(matcher, count, rng)
    if matcher.is_terminated():
        matcher.rollback(1)
    mask = _mask(matcher)
    for token_id in range(len(mask)):
        if matcher.accept(token_id):
            assert mask[token_id] or spare is not None  # near its budget a mask may be narrower
            matcher.rollback(1)
        else:
            assert not mask[token_id]
    assert np.array_equal(_mask(matcher), mask)
