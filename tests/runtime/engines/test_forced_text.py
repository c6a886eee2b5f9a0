"""Borders of forced text: what stands in front of one stays, whatever follows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agentic_dsl.runtime import models
from agentic_dsl.runtime.engines.forced_text import ForcedText, common_prefix
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [(ROOT / "examples" / "trip.md").read_text(encoding="utf-8"), 'a: "Zürich – 東京 {{ x }}"\n  - id: b7_c\n\n']
CONTINUATIONS = ["", "a", "Z", "7", " ", "\n", '"', "{{ x }}", "_id", "  - id: x", "é", "’s", "'s", "://", "\n\n\n    "]


@pytest.fixture(params=["bytes", pytest.param("smollm2", marks=pytest.mark.model)])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param != "bytes" and models.model_path(request.param) is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    return load_tokenizer(request.param)


def test_tokens_up_to_a_certain_border_stay_whatever_follows(tokenizer: Tokenizer) -> None:
    forced = ForcedText(tokenizer)
    rng = random.Random(7)
    found = 0
    for text in TEXTS:
        for _ in range(60):
            cut = rng.randrange(1, len(text))
            head = text[:cut].encode()
            ids = forced.encode(head)
            assert ids is not None
            stable = forced.stable(head, ids, rng.randrange(len(head)), None)
            found += bool(stable)
            for more in [*CONTINUATIONS, text[cut:]]:
                assert tokenizer.encode(text[:cut] + more)[: len(stable)] == stable
    assert found > 20


def test_every_place_between_bytes_is_a_border_where_every_byte_is_a_token() -> None:
    forced = ForcedText(load_tokenizer("bytes"))
    assert forced.certain_border(b"abc", 1) == 3
    assert forced.certain_border(b"abc", 3) is None


def test_the_end_of_half_a_character_is_no_border() -> None:
    forced = ForcedText(load_tokenizer("bytes"))
    assert forced.encode("é".encode()[:1]) is None


def test_common_prefixes() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 4, 5]) == 2
    assert common_prefix([1, 2], [1, 2, 3]) == 2
    assert common_prefix([], [1]) == 0
