"""The back end in SGLang's own registry, queue and reasoning wrapper: what it takes over, and what it leaves alone."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import pytest

pytest.importorskip("sglang.srt.constrained.grammar_manager")

import torch  # after the skip
from sglang.srt.constrained import base_grammar_backend, xgrammar_backend
from sglang.srt.constrained.base_grammar_backend import InvalidGrammarObject, create_grammar_backend
from sglang.srt.constrained.grammar_manager import GrammarManager
from sglang.srt.constrained.reasoner_grammar_backend import (
    ReasonerGrammarBackend,
    ReasonerGrammarObject,
)
from sglang.srt.constrained.xgrammar_backend import XGrammarGrammar, XGrammarGrammarBackend
from sglang.srt.runtime_context import get_exec
from sglang.srt.sampling.sampling_params import SamplingParams
from sglang.srt.server_args import ServerArgs

from agentic_dsl import Constraints, compile
from agentic_dsl.runtime.plugins import sglang_plugin
from agentic_dsl.runtime.plugins.contracts import Limits
from agentic_dsl.runtime.plugins.sglang_backend import ContractGrammar, ContractGrammarBackend
from agentic_dsl.runtime.wire import Bounds, with_contract

pytestmark = pytest.mark.filterwarnings("ignore:max_rollback_tokens is deprecated:DeprecationWarning")

VOCAB_SIZE = 49_152
ENDS = {2}
TEXT = with_contract(compile(Constraints(max_nodes=3)))


class Request:
    """What SGLang's queue knows of a request."""

    def __init__(self, **sampling: Any) -> None:
        self.sampling_params = SamplingParams(**sampling)
        self.origin_input_ids = [1]
        self.require_reasoning = False
        self.grammar: Any = None
        self.grammar_key: Any = None
        self.grammar_wait_ct = 0
        self.error: str | None = None

    def set_finish_with_abort(self, message: str) -> None:
        self.error = message

    def finished(self) -> bool:
        return self.error is not None


def through(manager: GrammarManager, *requests: Request) -> None:
    """Lets the queue work until it is empty."""
    for request in requests:
        manager.process_req_with_grammar(request)  # type: ignore[arg-type]
    deadline = time.monotonic() + 60
    while manager.has_waiting_grammars():
        manager.get_ready_grammar_requests()
        assert time.monotonic() < deadline


def allowed(grammar: Any) -> torch.Tensor:
    mask = grammar.allocate_vocab_mask(VOCAB_SIZE, 1, "cpu")
    grammar.fill_vocab_mask(mask, 0)
    return mask


def first_allowed(grammar: Any) -> int:
    row = allowed(grammar)[0]
    return next(token for token in range(VOCAB_SIZE) if row[token >> 5].item() >> (token & 31) & 1)


def test_sglang_finds_the_plug_in_and_takes_its_name_on_the_command_line(backend: Any) -> None:
    assert base_grammar_backend.GRAMMAR_BACKEND_REGISTRY["agentic-dsl"] is sglang_plugin.create
    parser = argparse.ArgumentParser()
    ServerArgs.add_cli_args(parser)
    args = parser.parse_args(["--model-path", "none", "--grammar-backend", "agentic-dsl"])
    assert args.grammar_backend == "agentic-dsl"
    assert isinstance(backend, ContractGrammarBackend)


def test_registering_twice_offers_the_name_once() -> None:
    sglang_plugin.register()
    from sglang.srt.server_args import GRAMMAR_BACKEND_CHOICES

    assert GRAMMAR_BACKEND_CHOICES.count("agentic-dsl") == 1


def test_sglangs_queue_compiles_a_contract_once_and_copies_it_for_each_request(manager: GrammarManager) -> None:
    first, *others = [Request(ebnf=TEXT) for _ in range(4)]
    through(manager, first)
    through(manager, *others)
    assert first.error is None
    assert not first.grammar.grammar_stats.is_cache_hit
    assert all(type(request.grammar) is ContractGrammar for request in (first, *others))
    assert all(request.grammar.grammar_stats.is_cache_hit for request in others)
    assert len({id(request.grammar) for request in (first, *others)}) == 4
    first.grammar.accept_token(first_allowed(first.grammar))
    assert all(request.grammar.accepted_tokens == [] for request in others)


def test_different_requests_in_one_queue_get_what_each_asked_for(manager: GrammarManager) -> None:
    ours = Request(ebnf=TEXT)
    ebnf = Request(ebnf='root ::= "yes" | "no"')
    regex = Request(regex="[0-9]{3}")
    schema = Request(json_schema=json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}}))
    broken = Request(ebnf="root ::= (")
    through(manager, ours, ebnf, regex, schema, broken)
    assert type(ours.grammar) is ContractGrammar
    assert all(type(request.grammar) is XGrammarGrammar for request in (ebnf, regex, schema))
    assert isinstance(broken.grammar, InvalidGrammarObject)
    assert broken.error is not None
    assert broken.error.startswith("Failed to compile ebnf grammar")


def test_other_requests_get_the_same_masks_as_from_the_stock_back_end(backend: Any, tokenizer: Any) -> None:
    stock = XGrammarGrammarBackend(tokenizer, VOCAB_SIZE, list(ENDS))
    for ours, theirs in (
        (backend.dispatch_ebnf('root ::= "a" [^b]*'), stock.dispatch_ebnf('root ::= "a" [^b]*')),
        (backend.dispatch_regex("[0-9]{3}"), stock.dispatch_regex("[0-9]{3}")),
        (backend.dispatch_json('{"type": "object"}'), stock.dispatch_json('{"type": "object"}')),
    ):
        assert type(ours) is type(theirs) is XGrammarGrammar
        assert torch.equal(allowed(ours), allowed(theirs))


def test_a_damaged_contract_ends_its_own_request_with_a_reason_and_no_other(manager: GrammarManager) -> None:
    damaged = Request(ebnf='# agentic-dsl 1 {"constraints":\nroot ::= "a"')
    good = Request(ebnf=TEXT)
    through(manager, damaged, good)
    assert damaged.error is not None
    assert "cannot be read" in damaged.error
    assert good.error is None
    # Nothing is kept of it.
    assert ("ebnf", damaged.sampling_params.ebnf) not in manager.grammar_backend.cache
    assert ("ebnf", TEXT) in manager.grammar_backend.cache


def test_a_contract_of_an_unknown_version_leaves_the_grammar_and_a_warning(
    backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    grammar = backend.dispatch_ebnf('# agentic-dsl 99 {}\nroot ::= "yes"')
    assert type(grammar) is XGrammarGrammar
    assert 'version "99"' in caplog.text
    assert "the grammar alone is enforced" in caplog.text


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        (Bounds(characters=100), "characters, and this server reads 100"),
        (Bounds(nodes=2), "max_nodes is 3, and this server allows 2"),
    ],
)
def test_a_contract_over_the_limits_is_refused_with_the_limit(
    serve: Any, tokenizer: Any, backend: Any, bounds: Bounds, reason: str
) -> None:
    backend = _with_limits(backend, Limits(bounds=bounds))
    refused = backend.dispatch_ebnf(TEXT)
    assert isinstance(refused, InvalidGrammarObject)
    assert reason in refused.error_message


def _with_limits(backend: Any, limits: Limits) -> Any:
    from agentic_dsl.runtime.plugins.contracts import ContractCompiler

    other = object.__new__(ContractGrammarBackend)
    vars(other).update(vars(backend))
    other.contracts = ContractCompiler(backend.contracts.tokenizer, limits=limits)
    return other


def test_a_budget_that_no_answer_fits_into_is_refused_with_the_tokens_needed(backend: Any) -> None:
    refused = backend.dispatch_ebnf(with_contract(compile(Constraints(max_nodes=3)), max_output_tokens=5))
    assert isinstance(refused, InvalidGrammarObject)
    assert "the shortest answer takes" in refused.error_message


def test_the_cache_keeps_what_was_used_last_and_no_more(manager: GrammarManager) -> None:
    backend: Any = manager.grammar_backend
    backend.cache.max_entries = 4
    through(manager, Request(ebnf=TEXT))
    for number in range(6):
        through(manager, Request(regex=f"a{{{number + 1}}}"), Request(ebnf=TEXT))
    assert len(backend.cache) == 4
    assert ("ebnf", TEXT) in backend.cache
    assert ("regex", "a{1}") not in backend.cache
    assert backend.cache.nbytes > len(TEXT)
    assert backend.grammar_compiler.cache_limit_bytes > 0
    manager.clear()
    assert len(backend.cache) == backend.cache.nbytes == 0


def test_a_model_that_reasons_thinks_freely_and_answers_by_the_contract(serve: Any, tokenizer: Any) -> None:
    with serve(reasoning_parser="qwen3") as args:
        backend = create_grammar_backend(args, tokenizer, VOCAB_SIZE, ENDS)
        assert isinstance(backend, ReasonerGrammarBackend)
        assert isinstance(backend.grammar_backend, ContractGrammarBackend)
        future, is_hit = backend.get_cached_or_future_value(("ebnf", TEXT), True)
        assert not is_hit
        grammar = future.result()
        assert isinstance(grammar, ReasonerGrammarObject)
        backend.set_cache(("ebnf", TEXT), grammar.copy())
        assert backend.cache.nbytes > 0
        for token in tokenizer.encode("let me think", add_special_tokens=False):
            assert bool((allowed(grammar) == -1).all())
            grammar.accept_token(token)
        end = tokenizer.encode("</think>", add_special_tokens=False)
        for token in end:
            grammar.accept_token(token)
        stock_start = allowed(backend.grammar_backend.dispatch_ebnf(TEXT))
        assert torch.equal(allowed(grammar), stock_start)
        grammar.rollback(len(end))
        assert bool((allowed(grammar) == -1).all())
        copy, is_hit = backend.get_cached_or_future_value(("ebnf", TEXT), False)
        assert is_hit
        assert torch.equal(allowed(copy), stock_start)


def test_a_message_format_around_answers_gets_the_grammar_alone(backend: Any, caplog: pytest.LogCaptureFixture) -> None:
    ours = backend.dispatch_ebnf(TEXT)
    framed = backend.compile_framed_grammar(ours, lambda content: {"type": "structural_tag", "format": content})
    assert type(framed) is XGrammarGrammar
    assert "the grammar of the contract alone" in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("_KNOWN", ((9, 9), (10,)), "known are 9.9 up to below 10"),
        ("served_tokenizer", "gone", "TypeError"),
    ],
)
def test_where_it_does_not_fit_the_stock_back_end_serves_with_a_warning(
    serve: Any,
    tokenizer: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: Any,
    reason: str,
) -> None:
    from agentic_dsl.runtime.plugins import sglang_backend

    monkeypatch.setattr(sglang_plugin if name == "_KNOWN" else sglang_backend, name, value)
    with serve() as args:
        backend = create_grammar_backend(args, tokenizer, VOCAB_SIZE, ENDS)
        assert type(backend) is XGrammarGrammarBackend
        assert get_exec().kernel.grammar_backend == "xgrammar"
    assert "only their grammars" in caplog.text
    assert reason in caplog.text
    assert type(backend.dispatch_ebnf(TEXT)) is XGrammarGrammar


def test_stock_objects_that_fill_masks_in_another_way_are_found_out_at_the_start(
    serve: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def one_row_for_all(entries: Any, vocab_mask: torch.Tensor) -> None:
        vocab_mask.fill_(0)

    monkeypatch.setattr(XGrammarGrammar, "fill_vocab_mask_batched", staticmethod(one_row_for_all))
    with serve() as args:
        assert type(create_grammar_backend(args, tokenizer, VOCAB_SIZE, ENDS)) is XGrammarGrammarBackend
    assert "masks are not filled as expected" in caplog.text


def test_a_tokenizer_that_is_not_the_one_of_its_folder_is_found_out_at_the_start(
    serve: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stock = xgrammar_backend.TokenizerInfo

    def swapped(*args: Any, **options: Any) -> Any:
        spelled = [*stock.from_huggingface(*args, **options).decoded_vocab]
        spelled[500], spelled[501] = spelled[501], spelled[500]
        return stock(spelled, stop_token_ids=list(ENDS))

    monkeypatch.setattr(
        xgrammar_backend,
        "TokenizerInfo",
        type("Swapped", (), {"from_huggingface": staticmethod(swapped), "__new__": lambda _, *a, **k: stock(*a, **k)}),
    )
    with serve() as args:
        backend = sglang_plugin._ours(tokenizer, VOCAB_SIZE, list(ENDS))
    assert args.grammar_backend == "agentic-dsl"
    assert backend is None
    assert "spells the token 500" in caplog.text


def test_what_is_done_for_contracts_is_counted(backend: Any) -> None:
    registry = pytest.importorskip("prometheus_client").REGISTRY

    def counted(outcome: str) -> float:
        return registry.get_sample_value("agentic_dsl_contracts_total", {"outcome": outcome}) or 0.0

    before = {outcome: counted(outcome) for outcome in ("overlay", "grammar", "refused")}
    grammar = backend.dispatch_ebnf(TEXT)
    for one in (grammar, grammar.copy()):
        allowed(one)
        allowed(one)
    backend.dispatch_ebnf('# agentic-dsl 99 {}\nroot ::= "yes"')
    backend.dispatch_ebnf("# agentic-dsl 1 {")
    after = {outcome: counted(outcome) - count for outcome, count in before.items()}
    assert after == {"overlay": 2, "grammar": 1, "refused": 1}
