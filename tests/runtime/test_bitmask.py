"""The arrays that every matcher refuses, and that a refused array is not written to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentic_dsl import Constraints, EngineError, Matcher, compile, load_tokenizer
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.bitmask import allow_only, check_bitmask

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.masks

VOCAB_SIZE = 260
WORDS = 9

WRONG: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a row too many": lambda: (np.zeros((2, WORDS), np.int32), 2),
    "a row before the first": lambda: (np.zeros((2, WORDS), np.int32), -1),
    "a row that is no number": lambda: (np.zeros((2, WORDS), np.int32), "0"),
    "too few words": lambda: (np.zeros((2, WORDS - 1), np.int32), 0),
    "too many words": lambda: (np.zeros((2, WORDS + 1), np.int32), 0),
    "one dimension": lambda: (np.zeros(WORDS, np.int32), 0),
    "three dimensions": lambda: (np.zeros((2, WORDS, 1), np.int32), 0),
    "unsigned words": lambda: (np.zeros((2, WORDS), np.uint32), 0),
    "long words": lambda: (np.zeros((2, WORDS), np.int64), 0),
    "every second row": lambda: (np.zeros((2, 2 * WORDS), np.int32)[:, ::2], 0),
    "read only": lambda: (np.broadcast_to(np.zeros((1, WORDS), np.int32), (1, WORDS)), 0),
    "a list": lambda: ([[0] * WORDS], 0),
    "nothing": lambda: (None, 0),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_an_array_that_cannot_hold_the_mask_is_refused(make: Callable[[], tuple[Any, Any]]) -> None:
    bitmask, row = make()
    with pytest.raises(EngineError, match="cannot hold the mask of 260 tokens") as caught:
        check_bitmask(bitmask, row, VOCAB_SIZE)
    assert caught.value.help == "allocate it with allocate_bitmask and keep it on the CPU"


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize(("dialect", "semantic"), [("xgrammar", False), ("llguidance", False)])
def test_every_back_end_refuses_it_before_and_after_the_end(
    make: Callable[[], tuple[Any, Any]], dialect: Any, semantic: bool
) -> None:
    if dialect == "llguidance":
        pytest.importorskip("llguidance")
    tokenizer = load_tokenizer("bytes")
    size = tokenizer.vocab_size
    assert (size + 31) // 32 == WORDS
    matcher = Matcher(compile(Constraints(max_nodes=1), dialect=dialect), tokenizer, semantic=semantic)
    bitmask, row = make()
    with pytest.raises(EngineError, match=f"mask of {size} tokens"):
        matcher.fill_bitmask(bitmask, row)
    assert bitmask is None or not np.any(bitmask)


def test_a_sound_array_passes_whatever_made_it() -> None:
    check_bitmask(allocate_bitmask(3, VOCAB_SIZE), 2, VOCAB_SIZE)
    check_bitmask(np.zeros((1, WORDS), "int32"), np.int64(0), VOCAB_SIZE)  # type: ignore[arg-type]  # numpy's numbers count, too


def test_only_the_tokens_named_are_allowed_in_that_row_alone() -> None:
    bitmask = np.full((2, WORDS), 5, np.int32)
    allow_only((31, 256), bitmask, 1)
    assert set(bitmask[0]) == {5}
    assert np.flatnonzero(np.unpackbits(bitmask[1].view(np.uint8), bitorder="little")).tolist() == [31, 256]
