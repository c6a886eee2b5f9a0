"""How long an answer may be, from what the request asks for and what the model's context leaves."""

from __future__ import annotations

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest


def answer_limit(prompt_tokens: int, request: EngineRequest, context_tokens: int) -> int:
    """The most tokens of the answer, end token included.

    Args:
        prompt_tokens: what the prompt takes.
        request: its ``max_output_tokens`` or, where that is not said, its ``token_cap``.
        context_tokens: the most tokens of prompt and answer together.

    Raises:
        GenerationError: the context cannot hold both.
    """
    wanted = request.max_output_tokens
    left = context_tokens - prompt_tokens
    if (wanted or 1) <= left:
        return wanted or min(left, request.token_cap or left)
    answer = f" and {wanted:,} for the answer" if wanted else ""
    raise GenerationError(
        f"the prompt takes {prompt_tokens:,} tokens{answer}: more than the {context_tokens:,} that the model can hold",
        help="shorten the task, give fewer tools or skills, or lower max_output_tokens"
        if wanted
        else "shorten the task, or give fewer tools or skills",
    )
