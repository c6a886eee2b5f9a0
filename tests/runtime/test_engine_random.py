"""The random engine and, with it, everything that engines in this process share."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from agentic_dsl.compiler.pipeline import CompiledSpec
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError, GenerationError, TokenizerError
from agentic_dsl.runtime.engines.base import Engine, EngineRequest, EngineResult, Message, Prompt, Sampling
from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

pytest.importorskip("xgrammar")
pytestmark = pytest.mark.masks

from agentic_dsl.runtime.engines.random import RandomEngine  # noqa: E402  # after the skip

LINES = 'root ::= ("- " ["a-z"] [a-z]{0,3} "\\n"){1,4}\n'
NUMBER = 'root ::= "#" [0-9]{3}\n'


def grammar_engine(model: Tokenizer | str | None = None, **options: Any) -> RandomEngine:
    """Grammars of their own, without constraints behind them, are enforced by their own matcher."""
    return RandomEngine(model, semantic=False, **options)


def spec(grammar: str) -> CompiledSpec:
    return CompiledSpec(grammar=grammar, report=(), constraints=Constraints(), dialect="xgrammar")


def request(grammar: str | None, seed: int = 0, limit: int | None = 60, task: str = "go") -> EngineRequest:
    return EngineRequest(
        prompt=Prompt((Message("user", task),)),
        spec=None if grammar is None else spec(grammar),
        sampling=Sampling(temperature=1.0, seed=seed),
        max_output_tokens=limit,
    )


def outcome(result: EngineResult) -> tuple[object, ...]:
    return (result.text, result.token_ids, result.prompt_token_ids, result.finish)


def test_it_is_an_engine() -> None:
    engine = grammar_engine()
    assert isinstance(engine, Engine)
    assert engine.name == "random/bytes"


@pytest.mark.parametrize("boost", [0.0, 6.0])
def test_every_answer_follows_its_grammar_to_its_last_token(boost: float) -> None:
    engine = grammar_engine(closing_boost=boost)
    for result in engine.generate([request(LINES, seed) for seed in range(25)]):
        matcher = compile_masks(LINES, engine.tokenizer).matcher()
        assert all(matcher.accept(token_id) for token_id in result.token_ids)
        assert matcher.is_terminated() == (result.finish == "stop")
        if result.finish == "stop":
            assert result.token_ids[-1] in engine.tokenizer.eos_token_ids
            assert re.fullmatch(r'(- ["a-z][a-z]{0,3}\n){1,4}', result.text)


def test_free_rows_stop_at_an_end_token_or_at_their_limit() -> None:
    engine = grammar_engine(closing_boost=2.0)
    results = engine.generate([request(None, seed, limit=40) for seed in range(30)])
    assert {result.finish for result in results} == {"stop", "length"}
    for result in results:
        assert (result.token_ids[-1] in engine.tokenizer.eos_token_ids) == (result.finish == "stop")
        assert result.finish == "stop" or len(result.token_ids) == 40


def test_a_row_is_the_same_alone_and_in_any_batch() -> None:
    requests = [request(LINES, 1), request(None, 2, 30), request(NUMBER, 3), request(LINES, 4, 7), request(NUMBER, 5)]
    alone = [outcome(grammar_engine().generate([one])[0]) for one in requests]
    assert [outcome(r) for r in grammar_engine().generate(requests)] == alone
    assert [outcome(r) for r in grammar_engine(max_batch_size=2).generate(requests)] == alone
    assert [outcome(r) for r in grammar_engine().generate(requests[::-1])] == alone[::-1]


def test_seeds_repeat_answers_and_without_one_they_differ() -> None:
    engine = grammar_engine()
    first, again, other = engine.generate([request(NUMBER, 1), request(NUMBER, 1), request(NUMBER, 2)])
    assert outcome(first) == outcome(again) != outcome(other)
    free = replace(request(LINES), sampling=Sampling(temperature=1.0))
    assert len({engine.generate([free])[0].token_ids for _ in range(4)}) > 1


def test_no_request_is_an_empty_answer() -> None:
    assert grammar_engine().generate([]) == []


def test_stats_count_tokens_passes_and_time() -> None:
    constrained, free = grammar_engine().generate([request(NUMBER, task="abc"), request(None, limit=3)])
    assert constrained.stats.tokens == 5  # "#", three digits, the end
    assert constrained.stats.forward_passes == 3  # the digits alone are open
    assert constrained.stats.jump_forward_tokens == 2
    assert free.stats.tokens == free.stats.forward_passes == 3
    assert constrained.stats.prompt_tokens == len(constrained.prompt_token_ids)
    assert constrained.stats.mask_us > 0 == free.stats.mask_us
    assert constrained.stats.seconds > 0
    assert free.stats.jump_forward_tokens == constrained.stats.cached_tokens == 0


def test_progress_shows_each_row_with_the_text_so_far() -> None:
    seen: dict[int, list[tuple[int, str]]] = {0: [], 1: []}
    engine = grammar_engine()
    results = engine.generate(
        [request(NUMBER, 1), request('root ::= "é" [0-9]\n', 2)],
        on_token=lambda row, tokens, text: seen[row].append((tokens, text)),
    )
    # Once a pass, and once for what is forced at the beginning; the end token comes with the last digit.
    assert [tokens for tokens, _ in seen[0]] == [1, 2, 3, 5]
    for row, result in enumerate(results):
        assert seen[row][-1] == (len(result.token_ids), result.text)


def test_progress_never_shows_half_a_character() -> None:
    seen: list[str] = []
    engine = grammar_engine(jump_forward=False)
    engine.generate([request('root ::= "é" [0-9]\n', 2)], on_token=lambda row, tokens, text: seen.append(text))
    assert seen[:2] == ["", "é"]


def test_an_error_in_the_progress_hook_is_the_callers_own() -> None:
    def fail(row: int, tokens: int, text: str) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        grammar_engine().generate([request(NUMBER)], on_token=fail)


def test_a_request_that_cannot_begin_spoils_no_other() -> None:
    engine = grammar_engine(context_tokens=30)
    good, broken, long, unreadable = (
        request(NUMBER, limit=10),
        request("root ::= (\n", limit=10),
        request(NUMBER, limit=10, task="x" * 40),
        request(NUMBER, limit=10, task="\ud800"),
    )
    results = engine.generate([good, broken, long, unreadable, good])
    assert [r.finish for r in results] == ["stop", "error", "error", "error", "stop"]
    errors = [r.error for r in results[1:4]]
    assert all(isinstance(error, GenerationError) for error in errors)
    assert "the grammar is malformed" in str(errors[0])
    assert "half of a surrogate pair" in str(errors[2])


def test_a_context_that_cannot_hold_prompt_and_answer_is_named_with_numbers() -> None:
    engine = grammar_engine(context_tokens=30)
    [result] = engine.generate([request(NUMBER, limit=20, task="y" * 15)])
    assert result.error is not None
    assert result.error.message == (
        "the prompt takes 17 tokens and 20 for the answer: more than the 30 that the model can hold"
    )
    assert "lower max_output_tokens" in (result.error.help or "")


def test_without_a_limit_the_answer_fills_the_context_or_ends_at_the_cap() -> None:
    engine = grammar_engine(context_tokens=50)
    endless = request("root ::= [a-z]{100}\n", limit=None)
    filled, capped = engine.generate([endless, replace(endless, token_cap=11)])
    assert filled.finish == capped.finish == "length"
    assert len(filled.token_ids) == 50 - len(filled.prompt_token_ids)
    assert len(capped.token_ids) == 11


def test_a_model_that_dies_in_a_batch_fails_only_the_request_that_it_cannot_bear(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from agentic_dsl.runtime.engines import random as module

    class Fragile(module.RandomLogits):
        def start(self, prompts, spans):  # type: ignore[no-untyped-def]  # as the class it stands for
            if any(len(prompt) > 20 for prompt in prompts):
                raise RuntimeError("not enough memory\nmore of it")
            return super().start(prompts, spans)

    expected = [outcome(r) for r in grammar_engine().generate([request(NUMBER, 1), request(LINES, 2)])]
    monkeypatch.setattr(module, "RandomLogits", Fragile)
    first, heavy, second = grammar_engine().generate(
        [request(NUMBER, 1), request(NUMBER, task="z" * 30), request(LINES, 2)]
    )
    assert [outcome(first), outcome(second)] == expected
    assert heavy.finish == "error"
    assert str(heavy.error) == "the model failed: not enough memory (help: free memory, or shorten the prompt)"
    assert "trying each request alone" in caplog.text


def test_a_grammar_in_another_dialect_is_refused() -> None:
    other = replace(request(NUMBER), spec=replace(spec(NUMBER), dialect="gbnf"))
    [result] = grammar_engine().generate([other])
    assert 'dialect "gbnf"' in str(result.error)


def test_misuse_is_refused_at_once() -> None:
    with pytest.raises(EngineError, match="max_batch_size is 0"):
        grammar_engine(max_batch_size=0)
    with pytest.raises(TokenizerError):
        grammar_engine("no-such-tokenizer")


def test_a_tokenizer_with_specials_in_its_prompts_keeps_them_out_of_answers() -> None:
    engine = grammar_engine(load_tokenizer("bytes"))
    [result] = engine.generate([request("root ::= [^x]{30}\n")])
    assert all(token_id < 256 for token_id in result.token_ids[:-1])
