"""Contracts become matchers: once each, within limits, for many threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("xgrammar", reason="needs the extra masks")

from agentic_dsl import ConstraintError, Constraints, compile
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher import GrammarMatcher
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.plugins.contracts import ContractCompiler, Limits
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.wire import Bounds, UnknownVersionError, with_contract

pytestmark = pytest.mark.masks


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("bytes")


def text_of(**fields: object) -> str:
    return with_contract(compile(Constraints.model_validate(fields)))


def test_a_contract_gives_the_semantic_matcher_with_its_budget(tokenizer: Tokenizer) -> None:
    matcher = ContractCompiler(tokenizer).matcher(text_of(max_nodes=2, max_output_tokens=900))
    assert isinstance(matcher, SemanticMatcher)
    for token in tokenizer.encode(matcher.completion()):
        assert matcher.accept(token)
    assert matcher.accept(tokenizer.eos_token_ids[0])
    with pytest.raises(ConstraintError, match="shortest answer takes"):
        ContractCompiler(tokenizer).matcher(text_of(max_nodes=2, max_output_tokens=20))


def test_what_is_enforced_is_the_contract_and_not_the_text_below_it(tokenizer: Tokenizer) -> None:
    line = text_of(max_nodes=2).partition("\n")[0]
    for semantic in (line, line.replace('"semantic":true', '"semantic":false')):
        matcher = ContractCompiler(tokenizer).matcher(f'{semantic}\nroot ::= "x"')
        assert not matcher.accept(ord("x"))
        assert matcher.accept(ord("#"))


def test_a_contract_for_the_grammar_alone_uses_the_mask_store(tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = with_contract(compile(Constraints(max_nodes=2)), semantic=False)
    for expected in ("compiled", "store"):
        compiler = ContractCompiler(tokenizer, store=MaskStore(tmp_path))
        assert isinstance(compiler.matcher(text), GrammarMatcher)
        source = compiler.compile(text).source
        assert getattr(source, "origin", None) == expected


def test_equal_contracts_of_many_threads_are_compiled_once(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer)
    texts = [text_of(max_nodes=number) for number in (2, 3, 4)] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(compiler.compile, texts))
    assert len({id(compiled) for compiled in found}) == 3


def test_matchers_of_one_compiler_do_not_disturb_each_other(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer)
    text = text_of(max_nodes=3)
    alone = ContractCompiler(tokenizer).matcher(text)
    expected = alone.completion() if isinstance(alone, SemanticMatcher) else ""
    rows = allocate_bitmask(8, tokenizer.vocab_size)

    def walk(row: int) -> int:
        matcher = compiler.matcher(text)
        for token in tokenizer.encode(expected):
            with compiler.driving:
                matcher.fill_bitmask(rows, row)
                assert rows[row, token // 32] >> (token % 32) & 1
                assert matcher.accept(token)
        return row

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(walk, range(8))) == list(range(8))


def test_contracts_beyond_the_bounds_are_refused_before_they_are_read(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer, limits=Limits(bounds=Bounds(characters=10_000, nodes=5)))
    with pytest.raises(ConstraintError, match="this server reads 10,000"):
        compiler.matcher(text_of(max_nodes=2) + "#" * 10_000)
    with pytest.raises(ConstraintError, match="this server allows 5"):
        ContractCompiler(tokenizer, limits=Limits(bounds=Bounds(nodes=5))).matcher(text_of(max_nodes=6))


def test_a_refused_contract_is_refused_again_and_others_still_compile(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer)
    for _ in range(3):
        with pytest.raises(ConstraintError, match="cannot be read"):
            compiler.matcher("# agentic-dsl 1 {\nroot ::= [a]")
    with pytest.raises(UnknownVersionError):
        compiler.matcher("# agentic-dsl 2 {}\nroot ::= [a]")
    assert compiler.matcher(text_of(max_nodes=2))


def test_a_compilation_beyond_the_time_limit_is_refused_now_and_there_the_next_time(tokenizer: Tokenizer) -> None:
    text = text_of(max_nodes=4)
    hurried = ContractCompiler(tokenizer, limits=Limits(seconds=0.05))
    # The compilation needs this lock for the tables; held, it stops where it is.
    with hurried._making, pytest.raises(ConstraintError, match=r"longer than the 0\.05 seconds"):
        hurried.matcher(text)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert isinstance(hurried.matcher(text), SemanticMatcher)
            return
        except ConstraintError:
            time.sleep(0.05)
    pytest.fail("the compilation never ended")


def test_more_waiting_compilations_than_the_limit_are_refused_at_once(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer, limits=Limits(waiting=2, seconds=60))
    compiler.warm_up()
    # Compilations need this lock for the tables; held, it stops them where they are.
    with compiler._making:
        threads = [
            threading.Thread(target=compiler.compile, args=(text_of(max_nodes=number),), daemon=True)
            for number in (2, 3)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while len(compiler._begun) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(ConstraintError, match="2 other contracts are being compiled"):
            compiler.compile(text_of(max_nodes=9))
    for thread in threads:
        thread.join(60)
    assert compiler.compile(text_of(max_nodes=9))


def test_no_more_contracts_are_kept_than_the_limit(tokenizer: Tokenizer) -> None:
    compiler = ContractCompiler(tokenizer, limits=Limits(kept=3))
    for number in range(2, 12):
        compiler.compile(text_of(max_nodes=number))
    assert len(compiler._compiled) == 3
