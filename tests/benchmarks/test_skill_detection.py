"""The labelled requests, and what the docs say of the rankers."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from agentic_dsl.skills.detector import RANKERS, SkillDetector
from agentic_dsl.skills.hybrid_ranker import EMBEDDING_THRESHOLD, LEXICAL_THRESHOLD
from agentic_dsl.skills.lexical_ranker import LexicalRanker
from agentic_dsl.skills.registry import SkillRegistry
from benchmarks.skill_detection import HEADER, Score, best_settings, by_detector, results, results_by_kind, score
from benchmarks.skill_queries import LIBRARY, Query, load_queries

QUERIES = load_queries()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "skill-detection.md"


@cache
def registry() -> SkillRegistry:
    return SkillRegistry.load([LIBRARY])


@cache
def measured() -> dict[str, Score]:
    return dict(results([query for query in QUERIES if query.held_out], registry()))


def test_every_label_is_the_name_of_a_skill_and_every_skill_has_twelve() -> None:
    counts = Counter(name for query in QUERIES for name in query.skills)
    assert counts.keys() == {skill.name for skill in registry().skills}
    assert min(counts.values()) >= 12


def test_there_are_enough_requests_of_every_kind() -> None:
    assert len(QUERIES) == len({query.request for query in QUERIES}) >= 120
    assert sum(not query.skills for query in QUERIES) >= 40
    assert sum(len(query.skills) > 1 for query in QUERIES) >= 12
    assert sum(bool(re.search(r"[\u3040-\u30ff]", query.request)) for query in QUERIES) >= 12
    assert sum(bool(re.search(r"[\u4e00-\u9fff]", query.request)) for query in QUERIES) >= 24


def test_the_halves_share_nothing_and_both_have_positives_of_every_skill() -> None:
    held_out = [query for query in QUERIES if query.held_out]
    assert 0.4 < len(held_out) / len(QUERIES) < 0.6
    for half in (held_out, [query for query in QUERIES if not query.held_out]):
        assert {name for query in half for name in query.skills} == {skill.name for skill in registry().skills}


def test_a_score_counts_hits_choices_and_false_alarms() -> None:
    queries = [
        Query("1", frozenset("ab")),
        Query("2", frozenset()),
        Query("3", frozenset("a")),
        Query("4", frozenset()),
    ]
    found = score(queries, [frozenset("ac"), frozenset("b"), frozenset("a"), frozenset()])
    assert found == Score(hits=2, chosen=4, right=3, exact=2, alarms=1, requests=4, idle=2)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.cells() == ("0.500", "0.667", "0.571", "2 of 4", "1 of 2")


def test_the_settings_in_the_code_are_the_best_of_the_tuning_half() -> None:
    tuning = [query for query in QUERIES if not query.held_out]
    ranker = LexicalRanker(registry().skills)
    _, _, best = best_settings(ranker, tuning, [number / 20 for number in range(10, 50)])
    choose = by_detector(SkillDetector(registry()))
    assert score(tuning, [choose(query.request) for query in tuning]).f1 == pytest.approx(best.f1)
    assert ranker.threshold <= LEXICAL_THRESHOLD
    assert 0 < EMBEDDING_THRESHOLD < 1


def test_every_ranker_is_better_than_keywords_and_raises_fewer_false_alarms() -> None:
    baseline = measured()["keywords"]
    for name in RANKERS:
        assert measured()[name].f1 > baseline.f1
        assert measured()[name].alarms < baseline.alarms


def test_the_docs_quote_what_is_measured() -> None:
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(HEADER) and cells[0] in measured():
            rows[cells[0]] = tuple(cells[1:])
    assert rows.keys() == measured().keys()
    for name, found in measured().items():
        if name in ("embedding", "hybrid"):
            # Sums of floats may differ in the last place on other machines, and a skill may then be on the other side.
            assert [float(cell) for cell in rows[name][:3]] == pytest.approx(
                [float(c) for c in found.cells()[:3]], abs=0.03
            )
        else:
            assert rows[name] == found.cells()


def test_every_request_is_counted_in_one_kind_and_the_docs_say_how_many() -> None:
    header, *rows = results_by_kind([query for query in QUERIES if query.held_out], registry())
    assert sum(int(re.findall(r"\((\d+)\)", cell)[0]) for cell in header[1:]) == measured()["lexical"].requests
    page = PAGE.read_text(encoding="utf-8")
    assert f"| {' | '.join(header)} |" in page
    lexical = next(row for row in rows if row[0] == "lexical")
    assert f"| {' | '.join(lexical)} |" in page
