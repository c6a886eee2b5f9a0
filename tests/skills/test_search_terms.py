"""Texts as terms: words, identifiers, scripts without spaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.skills.search_terms import length_in_words, search_terms, stem, written_forms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("branches", "branch"),
        ("planned", "planning"),
        ("libraries", "library"),
        ("merged", "merge"),
        ("validation", "validate"),
        ("tools", "tool"),
        ("running", "run"),
        ("passes", "pass"),
        ("AgenticDSL", "agenticdsl"),
        ("Ｆｏｒｋ", "fork"),
    ],
)
def test_forms_of_one_word_are_one_term(one: str, other: str) -> None:
    assert search_terms(one)[0] == search_terms(other)[0]


@pytest.mark.parametrize(
    ("one", "other"), [("status", "state"), ("this", "thing"), ("class", "clay"), ("process", "pro"), ("bus", "bu")]
)
def test_other_words_are_other_terms(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_words_that_every_text_has_are_left_out() -> None:
    assert search_terms("How do I do this with the other one, please?") == ()


def test_an_identifier_is_found_whole_and_by_its_parts() -> None:
    assert search_terms("tool_call") == ("tool_call", "tool", "call")
    assert search_terms("ADL301") == ("adl301", "adl", "301")
    assert search_terms("parseHTMLText") == ("parsehtmltext", "pars", "html", "text")


def test_chinese_gives_pairs_of_neighbours_and_no_particles() -> None:
    assert search_terms("并行执行") == ("并行", "行执", "执行")
    assert search_terms("我的工具了吗") == ("我", "工具")


def test_japanese_is_found_by_its_kanji_and_katakana() -> None:
    assert search_terms("ツールを並列に呼び出して") == ("ツー", "ール", "並列", "呼", "出")


def test_scripts_may_stand_side_by_side() -> None:
    assert search_terms("用fork并行") == ("用", "fork", "并行")


def test_a_run_that_is_no_word_of_anybody_is_left_out() -> None:
    assert search_terms("x" * 1_000 + " fork") == ("fork",)


def test_people_are_shown_the_word_that_was_written() -> None:
    assert written_forms("Merging the branches, merge") == {"merg": "merging", "branch": "branches"}


def test_pairs_count_half_a_word() -> None:
    assert length_in_words(("fork", "并行", "行执")) == 2.0


@given(st.text())
def test_any_text_gives_terms_that_are_no_longer_than_words(text: str) -> None:
    terms = search_terms(text)
    assert all(0 < len(term) <= 64 for term in terms)
    assert set(written_forms(text)) == set(terms)


@given(st.text(alphabet="abcdefgnrstuy", max_size=12))
def test_stemming_never_empties_or_lengthens_a_word_by_more_than_a_letter(word: str) -> None:
    assert bool(stem(word)) == bool(word)
    assert len(stem(word)) <= len(word) + 1
