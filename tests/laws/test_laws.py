"""The laws that hold the dialects together (``language.md``): generated ⊂ canonical ⊂ accepted."""

from __future__ import annotations

import pytest
from hypothesis import given

from agentic_dsl.ast import Document
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document, normalise
from agentic_dsl.json_view import document_view
from tests.strategies.nasty import nasty_texts
from tests.strategies.profile import law
from tests.strategies.spellings import Spelled, spelled_documents
from tests.strategies.trees import documents


@law(150)
@given(documents())
def test_a_printed_document_reads_back_as_its_normal_form(document: Document) -> None:
    assert parse(format_document(document)) == normalise(document)


@law(100)
@given(documents())
def test_printing_is_idempotent(document: Document) -> None:
    text = format_document(document)
    assert format_document(parse(text)) == text


@law(100)
@given(documents())
def test_normalising_is_idempotent_and_prints_the_same(document: Document) -> None:
    normal = normalise(document)
    assert normalise(normal) == normal
    assert format_document(normal) == format_document(document)


@law(50)
@given(documents())
def test_the_json_view_is_that_of_the_printed_document(document: Document) -> None:
    assert document_view(document) == document_view(parse(format_document(document)))


@law(150)
@given(spelled_documents())
def test_every_spelling_of_a_document_has_one_normal_form(spelled: Spelled) -> None:
    assert normalise(parse(spelled.text)) == normalise(spelled.document)


@law(150)
@given(nasty_texts())
def test_any_text_is_read_and_printing_it_settles_at_once(text: str) -> None:
    document = parse(text)
    printed = format_document(document)
    again = parse(printed)
    assert format_document(again) == printed
    if not document.has_errors:
        assert again == normalise(document)
        assert not again.has_errors


@law(150)
@given(nasty_texts())
def test_every_finding_about_any_text_lies_within_it(text: str) -> None:
    for finding in parse(text).diagnostics:
        assert 0 <= finding.span.start <= finding.span.end <= len(text)
        assert finding.message


@pytest.mark.slow
@law(5000)
@given(nasty_texts())
def test_many_more_texts_are_read_and_settle(text: str) -> None:
    printed = format_document(parse(text))
    assert format_document(parse(printed)) == printed
