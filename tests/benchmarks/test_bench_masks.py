"""What the mask benchmark measures on: documents that are valid, and that its grammar accepts."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.format import format_document
from agentic_dsl.node_table import GENERATED_TYPES
from benchmarks.generated_documents import DOCUMENTS, MIXED, TOOLS, catalogue


@pytest.mark.parametrize("text", DOCUMENTS)
def test_its_documents_are_valid_and_canonical(text: str) -> None:
    document = parse(text)
    assert [finding for finding in check(document, constraints=Constraints(tools=TOOLS)) if finding.is_error] == []
    assert format_document(document) == text


def test_one_of_them_holds_every_type() -> None:
    [subgraph] = parse(MIXED).subgraphs
    assert {node.type for node in subgraph.nodes} == set(GENERATED_TYPES)


def test_catalogues_of_any_size_have_different_tools() -> None:
    assert len({tool.name for tool in catalogue(25)}) == 25
    assert catalogue(10) == TOOLS


@pytest.mark.masks
def test_a_fill_is_timed_before_every_token() -> None:
    pytest.importorskip("xgrammar")
    from agentic_dsl.runtime.masks import MaskCompiler
    from agentic_dsl.runtime.tokenizer import load_tokenizer
    from benchmarks.bench_masks import fill_times

    compiler = MaskCompiler(load_tokenizer("bytes"))
    means, fills = fill_times(compiler, compile(Constraints(tools=TOOLS)).grammar, list(DOCUMENTS), 2)
    assert len(fills) == sum(len(text.encode()) for text in DOCUMENTS)
    assert len(means.seconds) == 2
    assert min(fills) > 0


@pytest.mark.masks
def test_a_load_is_timed_from_a_store_that_holds_the_masks() -> None:
    pytest.importorskip("xgrammar")
    from agentic_dsl.runtime.tokenizer import load_tokenizer
    from benchmarks.bench_masks import store_times

    grammar = compile(Constraints(tools=TOOLS), count_in_grammar=False).grammar
    compiled, loaded, nbytes = store_times(load_tokenizer("bytes"), grammar, 2)
    assert len(compiled.seconds) == len(loaded.seconds) == 2
    assert nbytes > len(grammar)


@pytest.mark.masks
def test_a_compile_is_not_timed_as_a_load() -> None:
    pytest.importorskip("xgrammar")
    from agentic_dsl.runtime.masks import MaskCompiler
    from agentic_dsl.runtime.tokenizer import load_tokenizer
    from benchmarks.bench_masks import come_from

    compiler = MaskCompiler(load_tokenizer("bytes"))
    with pytest.raises(AssertionError, match="compiled instead of store"):
        come_from("store", compiler, compile(Constraints(tools=TOOLS)).grammar)
