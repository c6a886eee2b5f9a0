"""The laws between constraints, grammar, parser and checker: what is generated is what is valid."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.sample import sample
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.format import format_document, format_subgraph, normalise
from agentic_dsl.node_table import Join
from tests.strategies.generated import Case, generated_cases
from tests.strategies.profile import law

DECLARED_CHECKED = frozenset({"ADL102"})
"""What the enforcement report leaves to the check: a key that stands in one mapping twice."""


@law(200)
@given(generated_cases())
def test_what_is_built_to_be_valid_is_valid(case: Case) -> None:
    document = parse(format_subgraph(case.subgraph))
    assert [finding for finding in check(document, constraints=case.constraints) if finding.is_error] == []


@law(100)
@given(generated_cases())
def test_generated_text_is_canonical_and_reads_back_as_what_was_printed(case: Case) -> None:
    text = format_subgraph(case.subgraph)
    document = parse(text)
    assert format_document(document) == text
    assert document == normalise(Document(blocks=(case.subgraph,)))


@pytest.mark.masks
@law(60)
@given(generated_cases())
def test_the_grammar_accepts_every_valid_answer(case: Case) -> None:
    acceptor = pytest.importorskip("benchmarks.accept").Acceptor
    text = format_subgraph(case.subgraph)
    assert acceptor.of(compile(case.constraints).grammar).accepts(text), text


@law(100)
@given(generated_cases(), st.integers(0, 2**32))
def test_whatever_the_grammar_allows_is_canonical_and_can_be_read(case: Case, seed: int) -> None:
    text = sample(lower(case.constraints), Random(seed))
    document = parse(text)
    assert [finding for finding in document.diagnostics if _is_of_form(finding)] == []
    if not document.diagnostics:
        assert parse(format_document(document)) == normalise(document)


@law(60)
@given(generated_cases(), st.integers(0, 2**32))
def test_the_form_of_sampled_text_is_never_what_the_checker_objects_to(case: Case, seed: int) -> None:
    text = sample(lower(case.constraints), Random(seed))
    findings = check(parse(text), constraints=case.constraints)
    assert [finding for finding in findings if finding.code in ("ADL403", "ADL404", "ADL504", "ADL701", "ADL702")] == []


def _is_of_form(finding: Diagnostic) -> bool:
    """Whether a finding is about the document's form, which the grammar answers for."""
    return finding.is_error and finding.code[:4] in ("ADL0", "ADL1") and finding.code not in DECLARED_CHECKED


@law(100)
@given(generated_cases(), st.data())
def test_a_join_may_be_stated_from_either_side(case: Case, data: st.DataObject) -> None:
    whole = normalise(Document(blocks=(case.subgraph,)))
    halves = _half_stated(next(whole.subgraphs), data)
    assert normalise(Document(blocks=(halves,))) == whole


def _half_stated(subgraph: Subgraph, data: st.DataObject) -> Subgraph:
    """The subgraph with each join named by its sources only, or naming them only."""
    nodes = {subgraph.node_path(node): node for node in subgraph.nodes}
    for path, join in list(nodes.items()):
        if not isinstance(join, Join):
            continue
        sources = [nodes[str(source)] for source in join.sources]
        if data.draw(st.booleans()):
            left = data.draw(st.sampled_from([(), (parse_reference("@all"),)]))
            nodes[path] = replace(join, sources=left)
        elif all([str(reference) for reference in source.next] == [path] for source in sources):
            nodes |= {subgraph.node_path(source): replace(source, next=()) for source in sources}
    return replace(subgraph, nodes=tuple(nodes.values()))
