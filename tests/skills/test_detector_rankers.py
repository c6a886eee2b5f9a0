"""The rankers: words, meaning, both."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from detection_skills import BREAD, KITCHEN, SHELF, TAXES, TYRES, made

from agentic_dsl.errors import MissingExtraError
from agentic_dsl.skills.embedding_ranker import EmbeddingRanker
from agentic_dsl.skills.hybrid_ranker import HybridRanker
from agentic_dsl.skills.lexical_ranker import LexicalRanker
from agentic_dsl.skills.ranking import Match, Ranked, search_fields


def names(ranked: Sequence[Ranked]) -> list[str]:
    return [one.name for one in ranked]


# --- fields ----------------------------------------------------------------------------------------------------------


def test_headings_are_those_of_the_text_and_not_of_its_examples() -> None:
    body = "# One\n\n## Two ##\n\n```text\n# a comment\n```\n\n### AgenticDSL `/dynamic/plan`\n\n#no heading\n"
    assert search_fields(made("x", "Y.", body=body, tags="a b")) == {
        "name": "x",
        "description": "Y.",
        "tags": "a b",
        "headings": "One\nTwo ##",
    }


# --- words -----------------------------------------------------------------------------------------------------------


def test_a_term_counts_more_in_a_weightier_field() -> None:
    skills = [
        made("otters", "herons", body="# rivers\n"),
        made("herons", "otters", body="# rivers\n"),
        made("rivers", "herons", body="# otters\n"),
    ]
    ranked = LexicalRanker(skills).rank("otters")
    assert names(ranked) == ["otters", "herons", "rivers"]
    assert [one.matches[0].fields for one in ranked] == [("name",), ("description",), ("headings",)]


def test_a_rare_term_counts_more_than_a_common_one() -> None:
    skills = [made("a", "rivers otters"), made("b", "rivers herons"), made("c", "rivers pikes")]
    best = LexicalRanker(skills).rank("otters rivers")[0]
    assert best.name == "a"
    assert best.matches[0].what == "otters"
    assert best.matches[0].fields == ("description",)


def test_no_term_counts_more_than_one() -> None:
    skills = [made("otters", "otters " * 50, tags="otters", body="# otters\n" * 9), TAXES]
    (best,) = LexicalRanker(skills).rank("otters otters otters")
    assert 0.8 < best.score <= 1.0


@pytest.mark.parametrize("count", [1, 3, 30, 300])
def test_the_threshold_means_the_same_for_few_skills_and_for_many(count: int) -> None:
    others = [made(f"other{number}", f"About topic{number} and nothing else here.") for number in range(count - 1)]
    ranker = LexicalRanker([made("otters", "How to watch otters and beavers from boats."), *others])
    scores = [ranker.rank(request)[0].score for request in ("otters", "watch otters and beavers")]
    assert scores[0] < ranker.threshold < scores[1]


def test_what_nobody_says_gets_no_score() -> None:
    ranker = LexicalRanker(SHELF.skills)
    assert ranker.rank("quantum chromodynamics") == ()
    assert ranker.rank("\0 \0") == ()
    assert LexicalRanker([]).rank("bread") == ()
    assert LexicalRanker([made("x", "。", body="")]).rank("the") == ()


def test_pages_of_other_text_do_not_add_up_to_a_need() -> None:
    prose = "the clean weather of the long year was told by those who knew the old measure of the sea and the deadline "
    ranker = LexicalRanker(SHELF.skills)
    assert all(one.score < ranker.threshold for one in ranker.rank(prose * 200))


def test_a_collection_of_thousands_is_ranked_in_no_time() -> None:
    skills = [made(f"skill-{number}", f"Does topic{number} and word{number % 40}.") for number in range(3_000)]
    ranker = LexicalRanker(skills)
    start = time.perf_counter()
    ranked = ranker.rank("topic7 and word7 " + "topic8 word9 " * 2_000)
    assert time.perf_counter() - start < 2
    assert ranked[0].name == "skill-7"


# --- meaning ---------------------------------------------------------------------------------------------------------


def two_numbers(texts: Sequence[str]) -> Any:
    """Counts two letters: a model whose every answer is known."""
    return np.array([[text.count("o"), text.count("u")] for text in texts], dtype=np.float32)


def test_similarity_is_the_cosine_of_the_vectors() -> None:
    ranker = EmbeddingRanker([made("oo", "oo"), made("uu", "uu"), made("ou", "ou")], embed=two_numbers)
    assert [(one.name, round(one.score, 3)) for one in ranker.rank("o")] == [("oo", 1.0), ("ou", 0.707)]


def test_a_text_that_the_model_does_not_know_is_like_nothing() -> None:
    ranker = EmbeddingRanker([made("x", "y"), made("oo", "oo")], embed=two_numbers)
    assert ranker.rank("z") == ()
    assert names(ranker.rank("o")) == ["oo"]
    assert EmbeddingRanker([], embed=two_numbers).rank("o") == ()


def test_the_model_of_the_package_knows_words_that_the_skill_does_not_use() -> None:
    ranker = EmbeddingRanker(SHELF.skills)
    assert names(ranker.rank("My bike has a puncture in the rear wheel"))[0] == "mending-tyres"
    assert names(ranker.rank("pastry, flour and a baguette"))[0] == "baking-bread"


def test_any_script_can_be_embedded() -> None:
    for request in ("烘焙面包", "パンを焼く", "🍞", "\0", "a" * 20_000):
        assert all(np.isfinite(one.score) for one in EmbeddingRanker(SHELF.skills).rank(request))


def test_loading_the_model_changes_no_logger_and_asks_no_network() -> None:
    code = (
        "import logging, socket\n"
        "socket.socket.connect = None\n"
        "from agentic_dsl.skills.embedding_ranker import word_llama\n"
        "assert word_llama()(['bread']).shape == (1, 256)\n"
        "assert logging.getLogger().handlers == [] and logging.getLogger().level == logging.WARNING\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert logging.getLogger().level >= logging.DEBUG


def test_neither_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys\nimport agentic_dsl.skills.detector\n"
        "print(*(name for name in ('bm25s', 'wordllama', 'numpy') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("package", "extra"), [("bm25s", "skills"), ("wordllama", "embeddings")])
def test_a_missing_library_is_named_with_its_extra(package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_dsl.skills import embedding_ranker

    monkeypatch.setitem(sys.modules, package, None)
    embedding_ranker.word_llama.cache_clear()
    with pytest.raises(MissingExtraError, match=f'"{package}" is not installed') as caught:
        LexicalRanker(SHELF.skills) if package == "bm25s" else EmbeddingRanker(SHELF.skills)
    assert caught.value.help is not None
    assert f"agentic-dsl[{extra}]" in caught.value.help


# --- both ------------------------------------------------------------------------------------------------------------


class Fixed:
    """Ranks skills in a given order, with scores 1.0, 0.9, …"""

    share = 0.0

    def __init__(self, name: str, *order: str, threshold: float = 0.0) -> None:
        self.name, self.order, self.threshold = name, order, threshold

    def rank(self, request: str) -> tuple[Ranked, ...]:
        return tuple(Ranked(name, 1 - at / 10, (Match("word", 1.0),)) for at, name in enumerate(self.order))


def test_ranks_are_fused_whatever_the_scores() -> None:
    hybrid = HybridRanker((Fixed("one", "a", "b", "c"), Fixed("two", "b", "a", "d")))
    ranked = hybrid.rank("x")
    assert names(ranked) == ["a", "b", "c", "d"]
    assert ranked[0].score == pytest.approx((1 / 61 + 1 / 62) / (2 / 61))
    assert ranked[2].score == pytest.approx((1 / 63) / (2 / 61))
    assert [match.what for match in ranked[2].matches] == ["number 3 of the one ranker (word 1.00)"]


def test_the_first_with_all_rankers_has_a_score_of_one() -> None:
    assert HybridRanker((Fixed("one", "a"), Fixed("two", "a"))).rank("x")[0].score == pytest.approx(1.0)


def test_a_ranker_gives_nothing_to_what_it_takes_for_unneeded() -> None:
    hybrid = HybridRanker((Fixed("one", "a", "b", threshold=0.95), Fixed("two", "c", threshold=2.0)))
    assert names(hybrid.rank("x")) == ["a"]


def test_words_and_meaning_together_find_what_both_find() -> None:
    assert names(HybridRanker.of(SHELF.skills).rank("Bake sourdough bread in the oven"))[0] == "baking-bread"


def test_one_index_answers_many_threads() -> None:
    ranker = LexicalRanker((BREAD, KITCHEN, TYRES, TAXES))
    expected = ranker.rank("mend the tyre and bake bread")
    found: list[tuple[Ranked, ...]] = []
    threads = [
        threading.Thread(target=lambda: found.extend(ranker.rank("mend the tyre and bake bread") for _ in range(20)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 160
