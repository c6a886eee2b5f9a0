"""Answers as servers write them: numbers that can be none do not take the answer with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("pydantic")

from agentic_dsl.runtime.engines.http.openai_wire import ChatAnswer


def read(usage: str) -> ChatAnswer:
    answer = ChatAnswer(url="http://h/v1")
    choice = json.dumps({"message": {"content": "hi"}, "finish_reason": "stop"})
    answer.read(f'{{"choices": [{choice}], "usage": {usage}}}')
    return answer


@pytest.mark.parametrize("number", ["null", "-3", "9" * 401, str(2**53 + 1), "1.5", '"many"', "[]", "{}", "NaN"])
def test_a_number_of_tokens_that_can_be_none_is_unknown(number: str) -> None:
    details = f'{{"cached_tokens": {number}}}'
    answer = read(f'{{"prompt_tokens": {number}, "completion_tokens": {number}, "prompt_tokens_details": {details}}}')
    stats = answer.stats(1.0)
    assert (answer.text, answer.end()) == ("hi", "stop")
    # One piece of text came, which is the best guess there is.
    assert (stats.tokens, stats.prompt_tokens, stats.cached_tokens) == (1, 0, 0)


@pytest.mark.parametrize("number", [1, 7, 2**53, "12", 3.0])
def test_good_numbers_are_kept(number: Any) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": number, "prompt_tokens_details": {"cached_tokens": number}}
    stats = read(json.dumps(usage)).stats(1.0)
    assert stats.tokens == stats.prompt_tokens == stats.cached_tokens == int(number)


def test_details_may_be_missing() -> None:
    assert read('{"completion_tokens": 4, "prompt_tokens_details": null}').stats(1.0).tokens == 4
    assert read("null").stats(1.0).tokens == 1
