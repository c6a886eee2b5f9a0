"""Prose under the semantic matcher: any UTF-8, masks by tables, budgets, and a choice that stays open."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime import models
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.completion import costs
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.prose import Mixed, Prose, ProseCharacter
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary
from benchmarks.constraint_sets import MIXED, SETS, constraint_set
from benchmarks.random_walks import Walker
from tests.strategies.profile import law

FREE = constraint_set(MIXED[0])
LIMITED = FREE.model_copy(update={"allow_free_text": False})
NAMES = ("bytes", "smollm2")


@cache
def tokenizer_of(name: str) -> Tokenizer:
    if name == "smollm2" and models.model_path(name) is None:
        pytest.skip("the tokenizer of the model is not there: agentic-dsl models pull smollm2")
    return load_tokenizer(name)


@cache
def overlay_of(name: str) -> Overlay:
    return Overlay(trie_of(tokenizer_of(name).vocabulary))


def matcher_of(name: str, budget: int | None = None, constraints: Constraints = FREE) -> SemanticMatcher:
    return SemanticMatcher(constraints, tokenizer_of(name), max_output_tokens=budget, overlay=overlay_of(name))


def mask_of(matcher: SemanticMatcher, tokenizer: Tokenizer) -> np.ndarray:
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    matcher.fill_bitmask(bitmask, 0)
    bits = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[: tokenizer.vocab_size]
    return bits.astype(bool)


def by_force(matcher: SemanticMatcher, name: str, left: int | None) -> np.ndarray:
    """Every token, judged by its bytes and by what completing costs behind it."""
    tokenizer, root = tokenizer_of(name), overlay_of(name).trie.root
    found = np.zeros(tokenizer.vocab_size, dtype=bool)
    rests: dict[bytes, int] = {}
    for token_id, token in enumerate(tokenizer.vocabulary.tokens):
        if token is None:
            found[token_id] = matcher.frame.is_final and token_id in tokenizer.eos_token_ids
        elif token and (after := feed(matcher.frame, token)) is not None:
            rest = finish(after)
            if rest not in rests:
                rests[rest] = costs(root, rest).total
            found[token_id] = rests[rest] < (1 << 40 if left is None else left)
    return found


# --- what is prose ---------------------------------------------------------------------------------------------------


def test_the_first_bytes_are_those_of_a_block_and_all_that_begin_other_text() -> None:
    tracker = SemanticTracker(FREE)
    ascii_text = set(range(0x21, 0x7F))
    assert tracker.allowed_next() == ascii_text | set(range(0xC2, 0xF5))
    assert SemanticTracker(LIMITED).allowed_next() == {ord("#")}
    assert not tracker.is_complete


@law(300)
@given(
    st.binary(min_size=1, max_size=12)
    | st.text(min_size=1, max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_behind_its_first_character_prose_is_exactly_what_is_utf_8(raw: bytes) -> None:
    tracker = SemanticTracker(FREE)
    assert tracker.accept(b"!")
    try:
        raw.decode()
        whole = begun = True
    except UnicodeDecodeError as exc:
        whole, begun = False, exc.reason == "unexpected end of data"
    assert tracker.allows(raw) is begun
    if begun:
        tracker.accept(raw)
        assert tracker.is_complete is whole
        (b"!" + raw + tracker.completion()).decode()


@pytest.mark.parametrize("number", MIXED)
def test_the_block_of_a_mixed_answer_is_what_it_is_without_prose(number: int) -> None:
    constraints = constraint_set(number)
    mixed, plain = (
        SemanticTracker(constraints),
        SemanticTracker(constraints.model_copy(update={"allow_free_text": False})),
    )
    assert mixed.completion() == plain.completion()
    assert minimum_tokens(constraints, tokenizer_of("bytes")) == len(plain.completion()) + 1
    rng = random.Random(number)
    assert mixed.accept(b"#")
    assert plain.accept(b"#")
    for _ in range(400):
        if plain.is_complete:
            break
        following = sorted(plain.allowed_next())
        assert mixed.allowed_next() == plain.allowed_next()
        byte = bytes([rng.choices(following, [9 if chr(b) in '"}])\n,' else 1 for b in following])[0]])
        assert mixed.accept(byte)
        assert plain.accept(byte)


# --- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@law(12)
@given(st.data())
def test_the_mask_is_what_brute_force_finds_over_the_vocabulary(name: str, data: st.DataObject) -> None:
    tokenizer = tokenizer_of(name)
    least = minimum_tokens(FREE, tokenizer)
    budget = data.draw(st.sampled_from([None, least, least + 1, least + 7]))
    matcher = matcher_of(name, budget)
    rng = random.Random(data.draw(st.integers(0, 10_000)))
    # As many steps as leave few tokens, where the budget decides.
    steps = 0 if budget is None else data.draw(st.integers(budget - 6, budget - 1))
    steps = data.draw(st.integers(1, 20)) if budget is None else steps
    for step in range(steps):
        allowed = np.flatnonzero(mask_of(matcher, tokenizer))
        broken = [
            int(t)
            for t in allowed
            if _is_broken(tokenizer.vocabulary.tokens[t]) and tokenizer.vocabulary.tokens[t][:1] != b"#"
        ]
        others = [int(t) for t in allowed if (tokenizer.vocabulary.tokens[t] or b"#")[:1] != b"#"]
        assert others, step
        assert matcher.accept(rng.choice(broken if broken and rng.random() < 0.6 else others))
    assert isinstance(matcher.frame, Prose | ProseCharacter)
    left = None if budget is None else budget - steps
    mask = mask_of(matcher, tokenizer)
    assert np.array_equal(mask, by_force(matcher, name, left))
    assert mask.any()
    refused = rng.sample(np.flatnonzero(~mask).tolist(), min(20, int((~mask).sum())))
    assert not any(matcher.accept(token_id) for token_id in refused)


def _is_broken(token: bytes | None) -> bool:
    try:
        (token or b"").decode()
    except UnicodeDecodeError:
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_before_the_first_byte_the_mask_is_that_of_a_block_and_all_tokens_of_prose(name: str) -> None:
    tokenizer = tokenizer_of(name)
    least = minimum_tokens(FREE, tokenizer)
    for budget in (None, least, least + 40):
        matcher, plain = matcher_of(name, budget), matcher_of(name, budget, LIMITED)
        assert isinstance(matcher.frame, Mixed)
        prose = by_force(matcher, name, budget)
        for token_id, token in enumerate(tokenizer.vocabulary.tokens):
            if token and token.startswith(b"#"):
                prose[token_id] = False
        assert np.array_equal(mask_of(matcher, tokenizer), mask_of(plain, tokenizer) | prose)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spare", [0, 1, 2, 3, 4, 5, 30])
def test_prose_ends_within_any_budget_that_holds_a_block(name: str, spare: int) -> None:
    tokenizer = tokenizer_of(name)
    budget = minimum_tokens(FREE, tokenizer) + spare
    for seed in range(4):
        matcher, rng, ids = matcher_of(name, budget), random.Random(seed), []
        while not matcher.is_terminated():
            allowed = np.flatnonzero(mask_of(matcher, tokenizer))
            pieces = {int(token_id): tokenizer.vocabulary.tokens[token_id] for token_id in allowed}
            pool = [t for t, piece in pieces.items() if piece is None or (ids or not piece.startswith(b"#"))]
            broken = [t for t in pool if _is_broken(pieces[t])]
            longer = [t for t in pool if pieces[t] is not None] or pool
            ids.append(rng.choice(broken if broken and rng.random() < 0.5 else longer))
            assert matcher.accept(ids[-1])
        assert len(ids) == budget
        b"".join(tokenizer.token_bytes(token_id) or b"" for token_id in ids).decode()


def test_a_budget_without_room_for_a_block_is_refused_so_that_the_choice_stays_the_models() -> None:
    least = minimum_tokens(FREE, tokenizer_of("bytes"))
    with pytest.raises(ConstraintError, match=f"takes {least} tokens"):
        matcher_of("bytes", least - 1)


def test_a_character_that_the_vocabulary_cannot_finish_is_never_begun() -> None:
    tokens = (*(bytes([byte]) for byte in range(256) if byte != 0x80), b"\xe2\x80", b"\xf0\x9f", None)
    vocabulary = Vocabulary(tokens, {len(tokens) - 1: "<end>"}, (len(tokens) - 1,))
    lacking = Tokenizer("lacking", vocabulary, load_tokenizer("bytes").codec)
    for budget in (None, 400):
        matcher = SemanticMatcher(FREE, lacking, max_output_tokens=budget)
        assert matcher.accept(tokens.index(b"!"))
        mask = mask_of(matcher, lacking)
        # The policy ends characters with the byte that is not there.
        assert not mask[tokens.index(b"\xf0\x9f")]
        assert not matcher.accept(tokens.index(b"\xf0\x9f"))
        assert mask[tokens.index(b"a")]
        assert not mask[tokens.index(b"\xc3")]
        assert mask.sum() == 129


@pytest.mark.parametrize("number", MIXED)
@pytest.mark.parametrize("name", NAMES)
def test_walks_through_mixed_sets_are_complete_within_budget_and_valid(name: str, number: int) -> None:
    walker = Walker(tokenizer_of(name), (0, 1, 20))
    walks = [walker.walk(number * 10 + seed, number) for seed in range(8)]
    assert [walk for walk in walks if walk.error] == []
    assert constraint_set(number).allow_free_text
    assert number >= SETS


# --- the rest of the protocol ----------------------------------------------------------------------------------------


def test_prose_forces_nothing_and_a_block_does_from_its_first_byte() -> None:
    matcher = matcher_of("bytes")
    assert matcher.jump_forward() == ""
    for byte in "Hé".encode():
        assert matcher.accept(byte)
        assert matcher.jump_forward() == ""
    assert matcher.completion() == ""
    matcher.rollback(3)
    assert matcher.accept(ord("#"))
    assert matcher.jump_forward().startswith("## AgenticDSL `/dynamic/plan`\n")


@pytest.mark.parametrize("budget", [None, 400])
def test_a_rollback_and_a_fork_go_back_over_the_choice(budget: int | None) -> None:
    tokenizer, matcher = tokenizer_of("bytes"), matcher_of("bytes", budget)
    before = mask_of(matcher, tokenizer)
    assert all(map(matcher.accept, "né".encode()))
    fork = matcher.fork()
    matcher.rollback(3)
    assert np.array_equal(mask_of(matcher, tokenizer), before)
    assert matcher.accept(ord("#"))
    assert fork.accept(tokenizer.eos_token_ids[0])
    assert fork.is_terminated()
    assert not matcher.accept(tokenizer.eos_token_ids[0])
    fork.rollback(2)
    assert not fork.accept(tokenizer.eos_token_ids[0])
    assert fork.accept(0xA9)


def test_explain_says_what_an_answer_can_begin_with_and_what_forbids_prose() -> None:
    matcher = matcher_of("bytes")
    found = matcher.explain(" Hello")
    assert found is not None
    assert "plain text" in found.expected
    assert "### AgenticDSL `/dynamic/plan`" in found.expected
    assert matcher.explain("Hello\n\n# x") is None
    broken = matcher.explain(b"H\xff")
    assert broken is not None
    assert (broken.offset, broken.expected) == (1, "plain text")
    within = matcher.explain(b"H\xc3(")
    assert within is not None
    assert within.expected == "the rest of a character"
    limited = matcher_of("bytes", constraints=LIMITED).explain("Hello")
    assert limited is not None
    assert limited.constraints == ("allow_free_text",)


def test_a_trace_of_prose_is_explained_like_any_other() -> None:
    from agentic_dsl.runtime.matcher.explain_trace import explain_trace

    tokenizer = tokenizer_of("bytes")
    end = tokenizer.eos_token_ids[0]
    plan = Plan.of(FREE)
    assert explain_trace(plan, tokenizer, [*b"Hello.", end]) is None
    two = explain_trace(plan, tokenizer, [*b"Hello.", end, end])
    assert two is not None
    assert (two.expected, two.token and two.token.index) == ("the end of the answer", 6)
    cut = explain_trace(plan, tokenizer, [*"é".encode()[:1], end])
    assert cut is not None
    assert cut.status == "incomplete"
    over = explain_trace(plan, tokenizer, list(b"Hello"), max_output_tokens=3)
    assert over is not None
    assert over.status == "over_budget"
