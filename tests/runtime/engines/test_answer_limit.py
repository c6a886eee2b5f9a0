"""How long an answer may be."""

from __future__ import annotations

import pytest

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt
from agentic_dsl.runtime.engines.limits import answer_limit

PROMPT = Prompt((Message("user", "x"),))


@pytest.mark.parametrize(
    ("wanted", "cap", "expected"),
    [(None, None, 90), (None, 40, 40), (None, 400, 90), (60, 40, 60), (90, None, 90)],
)
def test_the_request_s_own_limit_wins_then_the_smaller_of_cap_and_context(
    wanted: int | None, cap: int | None, expected: int
) -> None:
    request = EngineRequest(prompt=PROMPT, max_output_tokens=wanted, token_cap=cap)
    assert answer_limit(10, request, 100) == expected


@pytest.mark.parametrize(("prompt", "wanted", "said"), [(10, 91, "and 91 for the answer"), (100, None, "100 tokens:")])
def test_what_the_context_cannot_hold_is_refused(prompt: int, wanted: int | None, said: str) -> None:
    with pytest.raises(GenerationError, match=said):
        answer_limit(prompt, EngineRequest(prompt=PROMPT, max_output_tokens=wanted), 100)
