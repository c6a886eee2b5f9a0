"""`BatchQueue` in front of a real engine: the same answers, streams, and a grammar for each request."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("torch")
pytest.importorskip("xgrammar")
pytestmark = pytest.mark.masks

from agentic_dsl import AgenticLLM, Constraints, Sampling  # noqa: E402  # after the skip
from agentic_dsl.compiler.pipeline import compile as compile_spec  # noqa: E402
from agentic_dsl.errors import GenerationError  # noqa: E402
from agentic_dsl.runtime.batching.queue import BatchQueue  # noqa: E402
from agentic_dsl.runtime.engines.base import (  # noqa: E402
    BlockingEngine,
    EngineRequest,
    EngineResult,
    Message,
    OnToken,
    Prompt,
)
from agentic_dsl.runtime.engines.local import LocalEngine  # noqa: E402
from agentic_dsl.runtime.engines.random import RandomEngine  # noqa: E402
from agentic_dsl.runtime.jobs import engine_request  # noqa: E402
from agentic_dsl.runtime.tokenizer import load_tokenizer  # noqa: E402

SETS = [
    Constraints(path=f"/dynamic/p{number}", max_nodes=1 + number % 4, max_text_chars=20, max_identifier_chars=6)
    for number in range(8)
]
TEMPERATE = Sampling(temperature=1.0, seed=0)


@pytest.fixture
def engine() -> RandomEngine:
    return RandomEngine(closing_boost=6.0)


@pytest.fixture
def queue(engine: RandomEngine) -> Iterator[BatchQueue]:
    queue = BatchQueue(engine)
    yield queue
    queue.close()


def asked(number: int) -> EngineRequest:
    return engine_request("do it", compile_spec(SETS[number]), Sampling(temperature=1.0, seed=number))


def essence(result: EngineResult) -> tuple[object, ...]:
    return (result.text, result.token_ids, result.finish, result.stats.forward_passes)


def test_eight_callers_with_a_grammar_each_get_what_the_engine_alone_would_have_said(
    engine: RandomEngine, queue: BatchQueue
) -> None:
    requests = [asked(number) for number in range(8)]
    alone = [engine.generate([request])[0] for request in requests]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda request: queue.generate([request])[0], requests))
    assert [essence(result) for result in together] == [essence(result) for result in alone]
    assert queue.stats.batches < 8
    assert all(f"`/dynamic/p{number}`" in result.text for number, result in enumerate(together))


def test_a_request_that_cannot_begin_spoils_no_other() -> None:
    queue = BatchQueue(RandomEngine(context_tokens=6000))
    long = EngineRequest(prompt=Prompt((Message("user", "x" * 9000),)))
    short = EngineRequest(prompt=Prompt((Message("user", "x"),)), max_output_tokens=5)
    results = queue.generate([short, long, short])
    queue.close()
    assert [result.finish for result in results] == ["length", "error", "length"]
    assert isinstance(results[1].error, GenerationError)


def test_a_batch_call_through_the_queue_gives_one_checked_subgraph_for_each_prompt(queue: BatchQueue) -> None:
    generations = AgenticLLM(queue).batch_generate_subgraphs(["a"] * 8, constraints=SETS, sampling=TEMPERATE)
    assert all(generation.valid for generation in generations), [generation.diagnostics for generation in generations]
    assert [str(generation.subgraph.path) for generation in generations if generation.subgraph] == [
        constraints.path for constraints in SETS
    ]


def test_streams_work_through_the_queue(queue: BatchQueue) -> None:
    with AgenticLLM(queue).stream_subgraph("a", constraints=SETS[3], sampling=TEMPERATE) as stream:
        nodes = list(stream)
    assert stream.generation.subgraph is not None
    assert nodes == list(stream.generation.subgraph.nodes)


def test_a_stream_that_is_closed_early_ends_its_row_and_frees_the_queue(queue: BatchQueue) -> None:
    llm = AgenticLLM(queue)
    wanted = Constraints(max_nodes=15, min_nodes=15, max_text_chars=10, max_identifier_chars=8)
    with llm.stream_subgraph("a", constraints=wanted, sampling=TEMPERATE) as stream:
        next(stream)
    assert llm.generate_subgraph("b", constraints=SETS[0], sampling=TEMPERATE).valid
    assert not any(thread.name == "agentic-dsl-stream" for thread in threading.enumerate())


class Tiny(BlockingEngine):
    """A random model in float32 behind transformers' own code, without a file."""

    def __init__(self) -> None:
        transformers = pytest.importorskip("transformers")
        import torch

        from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits

        torch.manual_seed(3)
        config = transformers.LlamaConfig(
            vocab_size=272,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.4,
        )
        model = transformers.LlamaForCausalLM(config).eval()
        self._engine = LocalEngine(
            load_tokenizer("bytes"),
            lambda _: ModelLogits(model),
            context_tokens=512,
            max_batch_size=8,
            mask_store=None,
        )

    @property
    def name(self) -> str:
        return "tiny"

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        return self._engine.generate(requests, on_token=on_token)


def test_rows_of_a_model_are_what_they_would_be_alone_while_others_are_given_up() -> None:
    tiny = Tiny()
    requests = [
        EngineRequest(prompt=Prompt((Message("user", "x" * (10 + 7 * number)),)), max_output_tokens=20 + number)
        for number in range(4)
    ]
    alone = [tiny.generate([request])[0] for request in requests]
    queue = BatchQueue(tiny, max_batch_size=4, max_wait=10.0)
    lost = queue.submit(requests[0], on_token=lambda row, tokens, text: given_up.append(lost.cancel()))
    given_up: list[bool] = []
    kept = [queue.submit(request) for request in requests[1:]]
    results = [future.result(60) for future in kept]
    stats = queue.stats
    queue.close()
    assert given_up == [True]
    assert [essence(result) for result in results] == [essence(result) for result in alone[1:]]
    assert (stats.batches, stats.mean_batch_size, stats.cancelled) == (1, 4.0, 1)
