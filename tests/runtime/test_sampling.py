"""Choosing tokens: greedy, temperature, top-k, top-p, seeds."""

from __future__ import annotations

from collections import Counter

import pytest

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt, Sampling

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.masks

from agentic_dsl.runtime.engines.sampling import choose, generator_for  # noqa: E402  # after the skip

LOGITS = torch.tensor([0.0, 3.0, -torch.inf, 2.0, 1.0, -torch.inf])


def draw(sampling: Sampling, count: int = 2000) -> Counter[int]:
    generator = generator_for(sampling)
    return Counter(choose(LOGITS, sampling, generator) for _ in range(count))


def test_temperature_zero_takes_the_likeliest_token() -> None:
    assert draw(Sampling(seed=1), 5) == {1: 5}


def test_tokens_are_drawn_as_often_as_they_are_likely_and_masked_ones_never() -> None:
    drawn = draw(Sampling(temperature=1.0, seed=1), 8000)
    expected = LOGITS.softmax(0)
    assert set(drawn) == {0, 1, 3, 4}
    for token_id in drawn:
        assert drawn[token_id] / 8000 == pytest.approx(float(expected[token_id]), abs=0.02)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    cold, hot = (draw(Sampling(temperature=t, seed=2))[1] for t in (0.3, 5.0))
    assert cold > 1850 > 900 > hot


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(temperature=1.0, top_k=2, seed=3), {1, 3}),
        (Sampling(temperature=1.0, top_k=50, seed=3), {0, 1, 3, 4}),
        (Sampling(temperature=1.0, top_p=0.5, seed=3), {1}),
        (Sampling(temperature=1.0, top_p=0.8, seed=3), {1, 3}),
        (Sampling(temperature=1.0, top_k=1, top_p=0.9, seed=3), {1}),
    ],
)
def test_top_k_and_top_p_keep_the_likeliest(sampling: Sampling, kept: set[int]) -> None:
    assert set(draw(sampling)) == kept


def test_a_seed_repeats_its_tokens_and_another_seed_does_not() -> None:
    def tokens(seed: int | None) -> list[int]:
        sampling = Sampling(temperature=1.0, seed=seed)
        generator = generator_for(sampling)
        return [choose(LOGITS, sampling, generator) for _ in range(40)]

    assert tokens(7) == tokens(7) != tokens(8)
    assert tokens(None) != tokens(None)
    assert tokens(-1) == tokens(-1)


@pytest.mark.parametrize(
    "wrong", [{"temperature": -0.1}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": -1}]
)
def test_sampling_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(EngineError, match=next(iter(wrong)).replace("_", ".")):
        Sampling(**wrong)  # type: ignore[arg-type]  # floats for top_k are the point


def test_a_request_for_no_tokens_is_refused() -> None:
    with pytest.raises(EngineError, match="max_output_tokens is 0"):
        EngineRequest(prompt=Prompt((Message("user", "x"),)), max_output_tokens=0)
