"""The laws that hold the dialects together (``language.md``): generated ⊂ canonical ⊂ accepted."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from agentic_dsl.ast import Document
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document, normalise
from tests.strategies.trees import documents

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@relaxed
@given(documents())
def test_a_printed_document_reads_back_as_its_normal_form(document: Document) -> None:
    assert parse(format_document(document)) == normalise(document)


@relaxed
@given(documents())
def test_printing_is_idempotent(document: Document) -> None:
    text = format_document(document)
    assert format_document(parse(text)) == text


@relaxed
@given(documents())
def test_normalising_is_idempotent(document: Document) -> None:
    normal = normalise(document)
    assert normalise(normal) == normal
