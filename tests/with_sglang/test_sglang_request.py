"""What our engine sends, read by SGLang's own request class."""

from __future__ import annotations

import json
from typing import Any

import pytest

protocol = pytest.importorskip("sglang.srt.entrypoints.openai.protocol")

from agentic_dsl.compiler.pipeline import compile  # noqa: E402  # after the skip
from agentic_dsl.constraints import Constraints  # noqa: E402
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt, Sampling, ServingHints  # noqa: E402
from agentic_dsl.runtime.engines.http.chat_exchange import ChatExchange  # noqa: E402
from agentic_dsl.runtime.engines.sglang import SGLangFields  # noqa: E402
from agentic_dsl.runtime.wire import read_contract  # noqa: E402

# The word that every server and gateway knows.
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


def body(*, streams: bool) -> dict[str, Any]:
    exchange = ChatExchange(
        fields=SGLangFields(),
        semantic=True,
        sends_priority=True,
        max_grammar_chars=1 << 20,
        extra_body={},
        layer="none",
        key=None,
    )
    asked = EngineRequest(
        prompt=Prompt((Message("user", "go"),)),
        spec=compile(Constraints(max_nodes=3)),
        sampling=Sampling(temperature=0.5, top_p=0.9, top_k=7, seed=3),
        priority=2,
        hints=ServingHints(cache_salt="tenant"),
    )
    ask = exchange.ask(asked, "tiny", (lambda tokens, text: None) if streams else None, 300)
    assert ask.body is not None
    record: dict[str, Any] = json.loads(ask.body)
    return record


@pytest.mark.parametrize("streams", [False, True])
def test_sglang_knows_every_field_that_is_sent(streams: bool) -> None:
    sent = body(streams=streams)
    assert sent.keys() <= protocol.ChatCompletionRequest.model_fields.keys()
    read = protocol.ChatCompletionRequest.model_validate(sent)
    assert (read.priority, read.cache_salt, read.stream) == (-2, "tenant", streams)
    # SGLang refuses these two together.
    assert not (read.stream and read.return_token_ids)


def test_grammar_and_sampling_reach_the_engine_as_they_were_meant() -> None:
    read = protocol.ChatCompletionRequest.model_validate(body(streams=False))
    given = read.to_sampling_params(stop=[], model_generation_config={"repetition_penalty": 1.3, "top_k": 40})
    assert read_contract(given["ebnf"]).max_output_tokens == 300
    wanted = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "sampling_seed": 3,
        "max_new_tokens": 300,
    }
    assert {name: given[name] for name in wanted} == wanted
