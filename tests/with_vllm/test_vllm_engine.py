"""Real vLLM in this process: every request is held to its own contract, and none disturbs another."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import threading
import time
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

from prometheus_client import REGISTRY
from vllm_cases import EIGHT, GRAPH, OPTIONS, WILD

from agentic_dsl import AgenticLLM, Constraints, compile
from agentic_dsl.compiler.pipeline import Level
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import Engine, EngineRequest, Message, Prompt, Sampling
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.models import model_path
from agentic_dsl.runtime.plugins.vllm_plugin import plugin_state
from agentic_dsl.runtime.reparse import reparse

if model_path("smollm2") is None:
    pytest.skip("the embedded model is not pulled: make model", allow_module_level=True)

HELLO = Prompt((Message("user", "Say hello."),))


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    engine = VllmEngine(**OPTIONS)
    yield engine
    engine.close()


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("agentic_dsl_contracts_total", {"outcome": outcome}) or 0.0


def test_the_plug_in_is_active_and_the_engine_says_what_it_can_do(engine: VllmEngine) -> None:
    assert plugin_state().active
    assert isinstance(engine, Engine)
    can = engine.capabilities
    assert can.supports_overlay
    assert can.supports_streaming
    assert can.supports_prefix_caching
    assert can.supports_priority
    assert not can.supports_jump_forward


def test_eight_contracts_and_a_free_request_in_one_call_are_each_answered_in_their_own_way(engine: VllmEngine) -> None:
    before = counted("overlay")
    fills = REGISTRY.get_sample_value("agentic_dsl_fills_total") or 0.0
    requests = [engine_request("Plan a trip.", compile(constraints), WILD) for constraints in EIGHT]
    requests.append(EngineRequest(prompt=HELLO, max_output_tokens=24))
    results = engine.generate(requests)
    for constraints, result in zip(EIGHT, results, strict=False):
        assert (result.error, result.finish, result.overlay) == (None, "stop", True)
        found = reparse(result.text, constraints)
        assert not [finding for finding in found.diagnostics if finding.is_error], result.text
        assert engine.tokenizer.decode(result.token_ids) == result.text
        assert result.token_ids[-1] in engine.tokenizer.eos_token_ids
        assert len(result.token_ids) <= (constraints.max_output_tokens or 0)
        assert result.prompt_token_ids
    free = results[-1]
    assert (free.error, free.overlay) == (None, False)
    assert "AgenticDSL" not in free.text
    assert counted("overlay") == before + 8
    chosen = sum(len(result.token_ids) for result in results[:-1])
    assert (REGISTRY.get_sample_value("agentic_dsl_fills_total") or 0.0) - fills >= chosen


def test_what_a_grammar_cannot_hold_is_held_at_a_high_temperature(engine: VllmEngine) -> None:
    generations = AgenticLLM(engine).batch_generate_subgraphs(["Answer."] * 6, constraints=GRAPH, sampling=WILD)
    for generation in generations:
        assert generation.valid, (generation.error, generation.diagnostics, generation.text)
        assert any(entry.level is Level.OVERLAY for entry in generation.report)
    assert len({generation.text for generation in generations}) > 1


def test_a_second_request_finds_its_beginning_in_the_prefix_cache_and_streams(engine: VllmEngine) -> None:
    llm = AgenticLLM(engine)
    seen: list[tuple[int, int, str]] = []
    first = llm.generate_subgraph("One.", constraints=EIGHT[1], sampling=Sampling(temperature=0.8, seed=3))
    second = llm.generate_subgraph("Two.", constraints=EIGHT[1], on_token=lambda *told: seen.append(told))
    assert first.valid
    assert second.valid
    assert second.stats.cached_tokens > second.stats.prompt_tokens // 2
    assert [row for row, _, _ in seen] == [0] * len(seen)
    assert len(seen) == second.stats.tokens == seen[-1][1]
    assert seen[-1][2] == second.text
    assert all(later[2].startswith(sooner[2]) for sooner, later in itertools.pairwise(seen))


def test_the_grammar_alone_can_be_asked_for_and_comes_from_the_mask_store(engine: VllmEngine) -> None:
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions

    from agentic_dsl.runtime.matcher import GrammarMatcher
    from agentic_dsl.runtime.wire import with_contract

    backend = engine.loop.engine.engine_core.engine_core.structured_output_manager.backend
    text = with_contract(compile(EIGHT[2]), semantic=False)
    grammar = backend.compile_grammar(StructuredOutputOptions.GRAMMAR, text, set(engine.tokenizer.eos_token_ids))
    assert isinstance(grammar._matcher, GrammarMatcher)
    assert grammar.validate_tokens(engine.tokenizer.encode("# --- BEGIN")) != []


def test_many_asynchronous_calls_wait_without_a_thread_each_and_are_batched(engine: VllmEngine) -> None:
    requests = [EngineRequest(prompt=HELLO, max_output_tokens=12, priority=number % 2) for number in range(24)]
    seen: list[int] = []

    async def all_of_them() -> list[list[str]]:
        calls = [engine.agenerate([request], on_token=lambda row, *_: seen.append(row)) for request in requests]
        return [[result.text for result in results] for results in await asyncio.gather(*calls)]

    texts = asyncio.run(all_of_them())
    assert len(texts) == 24
    assert all(len(answer) == 1 and answer[0] for answer in texts)
    assert len(seen) >= 24


def test_a_bad_request_says_what_is_wrong_and_spoils_no_other(engine: VllmEngine) -> None:
    spec = compile(EIGHT[0])
    tight = compile(Constraints(max_nodes=2, max_output_tokens=12))
    long = EngineRequest(prompt=Prompt((Message("user", "word " * 4000),)), spec=spec)
    before = counted("refused")
    results = engine.generate(
        [
            engine_request("x", tight),
            long,
            EngineRequest(prompt=HELLO, spec=compile(EIGHT[0], dialect="gbnf")),
            engine_request("x", spec),
        ]
    )
    assert "shortest answer takes" in str(results[0].error)
    assert "more than the 3,072 that the model can hold" in str(results[1].error)
    assert 'in the dialect "gbnf"' in str(results[2].error)
    assert results[3].error is None
    assert counted("refused") == before  # refused before vLLM saw them


def test_a_contract_that_only_the_server_refuses_is_refused_with_our_words(engine: VllmEngine) -> None:
    from vllm.exceptions import VLLMValidationError
    from vllm.sampling_params import SamplingParams, StructuredOutputsParams

    def ask(grammar: str) -> None:
        params = SamplingParams(structured_outputs=StructuredOutputsParams(grammar=grammar))
        running = engine.loop.engine
        config = running.vllm_config
        params.verify(config.model_config, None, config.structured_outputs_config, running.tokenizer)

    before = counted("refused"), counted("grammar")
    with pytest.raises(VLLMValidationError, match="it is not JSON"):
        ask("# agentic-dsl 1 {\nroot ::= [a]")
    with pytest.raises(VLLMValidationError, match="this server reads"):
        ask("# agentic-dsl 1 {" + " " * (5 << 20))
    ask("# agentic-dsl 7 {}\nroot ::= [a-z]+")  # of another version: stock
    assert (counted("refused"), counted("grammar")) == (before[0] + 2, before[1] + 1)


def test_grammars_of_others_are_stock_s_own(engine: VllmEngine) -> None:
    from vllm.sampling_params import SamplingParams, StructuredOutputsParams
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions
    from vllm.v1.structured_output.backend_xgrammar import XgrammarGrammar

    from agentic_dsl.runtime.plugins.vllm_backend import ContractBackend

    backend = engine.loop.engine.engine_core.engine_core.structured_output_manager.backend
    assert isinstance(backend, ContractBackend)
    assert isinstance(backend.compile_grammar(StructuredOutputOptions.GRAMMAR, 'root ::= "x"', {2}), XgrammarGrammar)
    assert isinstance(backend.compile_grammar(StructuredOutputOptions.REGEX, "# agentic-dsl 1 ", {2}), XgrammarGrammar)
    assert SamplingParams(structured_outputs=StructuredOutputsParams(regex="a+")).structured_outputs


def test_a_cancelled_request_ends_in_vllm_too_and_the_engine_goes_on(engine: VllmEngine) -> None:
    running = engine.loop.engine
    started = threading.Event()

    async def cancelled() -> None:
        requests = [EngineRequest(prompt=HELLO, max_output_tokens=2500, sampling=Sampling(temperature=1.0))]
        call = asyncio.ensure_future(engine.agenerate(requests, on_token=lambda *_: started.set()))
        await asyncio.to_thread(started.wait, 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled())
    deadline = time.monotonic() + 20
    while running.has_unfinished_requests() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running.has_unfinished_requests()
    assert AgenticLLM(engine).generate_subgraph("x", constraints=EIGHT[0]).valid


def test_an_exception_of_a_caller_reaches_it_and_ends_its_requests_only(engine: VllmEngine) -> None:
    other: list[bool] = []
    llm = AgenticLLM(engine)
    thread = threading.Thread(
        target=lambda: other.append(llm.generate_subgraph("y", constraints=EIGHT[1], sampling=WILD).valid)
    )

    def fail(*_: object) -> None:
        raise KeyError("mine")

    thread.start()
    with pytest.raises(KeyError, match="mine"):
        engine.generate([EngineRequest(prompt=HELLO, max_output_tokens=2000)], on_token=fail)
    thread.join(120)
    assert other == [True]


def test_drafts_are_checked_and_taken_back_without_a_trace(engine: VllmEngine) -> None:
    import xgrammar
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions

    from agentic_dsl.runtime.wire import with_contract

    backend = engine.loop.engine.engine_core.engine_core.structured_output_manager.backend
    text = with_contract(compile(EIGHT[0]))
    grammar = backend.compile_grammar(StructuredOutputOptions.GRAMMAR, text, set(engine.tokenizer.eos_token_ids))
    whole = [*engine.tokenizer.encode(grammar._matcher.completion()), engine.tokenizer.eos_token_ids[0]]
    rows = xgrammar.allocate_token_bitmask(2, backend.vocab_size)
    grammar.fill_bitmask(rows, 0)
    assert grammar.validate_tokens([*whole[:5], 0, 0]) == whole[:5]
    assert grammar.validate_tokens([*whole, 17]) == whole
    grammar.fill_bitmask(rows, 1)
    assert (rows[0] == rows[1]).all()
    assert grammar.accept_tokens("r", whole)
    assert grammar.is_terminated()
    assert grammar.accept_tokens("r", [17])  # what follows the end is nobody's
    grammar.rollback(3)
    assert not grammar.is_terminated()
    assert grammar.accept_tokens("r", whole[-3:])
    grammar.reset()
    assert not grammar.accept_tokens("r", [0])
    assert grammar.validate_tokens(whole) == whole


def test_a_stop_token_that_spells_text_is_not_written_before_the_end(engine: VllmEngine) -> None:
    import xgrammar
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions

    from agentic_dsl.runtime.wire import with_contract

    backend = engine.loop.engine.engine_core.engine_core.structured_output_manager.backend
    ends = set(engine.tokenizer.eos_token_ids)
    text = with_contract(compile(EIGHT[1]))
    rows = xgrammar.allocate_token_bitmask(1, backend.vocab_size)

    def allowed(stops: set[int], before: list[int]) -> set[int]:
        grammar = backend.compile_grammar(StructuredOutputOptions.GRAMMAR, text, stops)
        assert grammar.accept_tokens("r", before)
        grammar.fill_bitmask(rows, 0)
        return {token for token in range(backend.vocab_size) if int(rows[0, token >> 5]) >> (token & 31) & 1}

    first = allowed(ends, [])
    stop = min(first)
    assert allowed(ends | {stop}, []) == first - {stop}
    assert allowed(ends | first, []) == first  # nothing else would be left


def test_zz_a_closed_engine_refuses(engine: VllmEngine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate([EngineRequest(prompt=HELLO)])
