"""From a request to skills: by rank, by name, with requirements, within a budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from detection_skills import BREAD, KITCHEN, SHELF, TAXES, TYRES, Shelf, made
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.errors import UsageError
from agentic_dsl.skills.detection import Detection, DropReason, Reason
from agentic_dsl.skills.detector import RANKERS, SkillDetector
from agentic_dsl.skills.ranking import Ranked
from agentic_dsl.skills.skill import Skill

ASKED = "Bake a loaf of sourdough bread in the oven."


class Scores:
    """A ranker that knows the scores already."""

    name = "given"
    threshold = 1.0
    share = 0.5

    def __init__(self, **scores: float) -> None:
        self.scores = scores

    def rank(self, request: str) -> tuple[Ranked, ...]:
        named = {name.replace("_", "-"): score for name, score in self.scores.items()}
        return tuple(Ranked(name, score, ()) for name, score in sorted(named.items(), key=lambda one: -one[1]))


def detector(**scores: float) -> SkillDetector:
    return SkillDetector(SHELF, ranker=lambda skills: Scores(**scores))


def dropped(found: Detection) -> dict[str, DropReason]:
    return {one.name: one.reason for one in found.dropped}


def test_the_skill_that_a_request_needs_comes_with_what_it_requires() -> None:
    found = SkillDetector(SHELF).detect(ASKED)
    assert found.names == ("kitchen-basics", "baking-bread")
    assert [one.reason for one in found.selected] == [Reason.REQUIRED, Reason.RANKED]
    assert found.selected[0].required_by == ("baking-bread",)
    assert (found.tokens, found.complete, found.shortened) == (350, True, False)


@pytest.mark.parametrize("request_", ["What is the capital of Australia?", "", "  \n", "。", "\ud800", "the of and"])
def test_a_request_that_needs_no_skill_gets_none(request_: str) -> None:
    found = SkillDetector(SHELF).detect(request_)
    assert (found.selected, found.tokens, found.complete) == ((), 0, True)


def test_chinese_and_japanese_requests_find_skills_by_their_tags() -> None:
    assert "baking-bread" in SkillDetector(SHELF).detect("用烤箱烘焙面包").names
    shelf = Shelf((made("joining", "Joins.", tags="並列 合流"), *SHELF.skills))
    assert SkillDetector(shelf).detect("二つの検索を並列に実行して合流させたい").names == ("joining",)


def test_scores_far_behind_the_best_are_left_out() -> None:
    found = detector(filing_taxes=3.0, mending_tyres=1.6, baking_bread=1.4, kitchen_basics=0.9).detect("x")
    assert found.names == ("filing-taxes", "mending-tyres")
    assert dropped(found) == {
        "baking-bread": DropReason.BEHIND_THE_BEST,
        "kitchen-basics": DropReason.BELOW_THRESHOLD,
    }


def test_the_limit_counts_what_is_chosen_by_rank_alone() -> None:
    scores = {"filing_taxes": 3.0, "mending_tyres": 2.9, "baking_bread": 2.8}
    found = detector(**scores).detect("x", limit=1, explicit=["baking-bread"])
    assert found.names == ("kitchen-basics", "baking-bread", "filing-taxes")
    assert dropped(found) == {"mending-tyres": DropReason.OVER_LIMIT}
    assert detector(**scores).detect("x", limit=0).names == ()


def test_a_skill_that_is_asked_for_is_there_whatever_its_score() -> None:
    found = SkillDetector(SHELF).detect(ASKED, explicit=["$filing-taxes"])
    assert [(one.skill.name, one.reason) for one in found.selected] == [
        ("filing-taxes", Reason.EXPLICIT),
        ("kitchen-basics", Reason.REQUIRED),
        ("baking-bread", Reason.RANKED),
    ]


def test_one_name_may_be_given_without_brackets() -> None:
    assert SkillDetector(SHELF).detect("x", explicit="filing-taxes").names == ("filing-taxes",)


def test_a_request_can_name_skills_itself() -> None:
    found = SkillDetector(SHELF).detect("Use the filing-taxes skill, and $mending-tyres")
    assert [(one.skill.name, one.reason) for one in found.selected] == [
        ("filing-taxes", Reason.MENTIONED),
        ("mending-tyres", Reason.MENTIONED),
    ]


def test_a_request_can_refuse_skills_and_with_them_those_that_require_them() -> None:
    found = SkillDetector(SHELF).detect(f"{ASKED} Don't use the baking-bread skill.")
    assert (found.names, dropped(found)["baking-bread"]) == ((), DropReason.EXCLUDED)
    found = SkillDetector(SHELF).detect(f"{ASKED} Don't use the kitchen-basics skill.")
    assert (found.names, dropped(found)["baking-bread"]) == ((), DropReason.EXCLUDED)


def test_what_is_asked_for_wins_over_what_is_refused() -> None:
    found = SkillDetector(SHELF).detect("Don't use the kitchen-basics skill.", explicit=["baking-bread"])
    assert found.names == ("kitchen-basics", "baking-bread")


def test_an_unknown_explicit_name_is_an_error_with_what_is_probably_meant() -> None:
    with pytest.raises(UsageError, match='there is no skill "baking-brad"') as caught:
        SkillDetector(SHELF).detect("x", explicit=["baking-brad"])
    assert caught.value.help == 'write "baking-bread" if that is meant'


def test_an_unknown_name_in_a_request_is_told_and_makes_the_result_incomplete() -> None:
    found = SkillDetector(SHELF).detect("$baking-brad now")
    assert (dropped(found)["baking-brad"], found.complete) == (DropReason.UNKNOWN, False)


def test_a_budget_takes_what_fits_in_the_order_of_need() -> None:
    scores = {"filing_taxes": 3.0, "baking_bread": 2.9, "mending_tyres": 2.8}
    found = detector(**scores).detect("x", token_budget=250)
    assert (found.names, found.tokens) == (("mending-tyres",), 200)
    messages = {one.name: one.message for one in found.dropped}
    assert messages == {
        "filing-taxes": "it takes 400 tokens, and 250 are left",
        "baking-bread": "it takes 350 tokens with kitchen-basics, and 250 are left",
    }
    assert found.complete


def test_requirements_are_paid_for_once() -> None:
    shelf = Shelf((KITCHEN, BREAD, made("baking-cake", "Cakes.", requires="kitchen-basics", tokens=100)))
    found = SkillDetector(shelf).detect("x", explicit=["baking-bread", "baking-cake"], token_budget=450)
    assert (found.tokens, len(found.selected), found.complete) == (450, 3, True)


@pytest.mark.parametrize("budget", [0, 349])
def test_a_budget_that_is_too_small_for_what_was_asked_for_is_told(budget: int) -> None:
    found = SkillDetector(SHELF).detect("x", explicit=["baking-bread"], token_budget=budget)
    assert (found.names, found.tokens, found.complete) == ((), 0, False)
    assert dropped(found) == {"baking-bread": DropReason.OVER_BUDGET}


@pytest.mark.parametrize("numbers", [{"token_budget": -1}, {"limit": -1}])
def test_negative_numbers_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="is -1"):
        SkillDetector(SHELF).detect("x", **numbers)


def test_an_unknown_ranker_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match='no ranker "neural"'):
        SkillDetector(SHELF, ranker="neural")  # type: ignore[arg-type]


@pytest.mark.parametrize("ranker", RANKERS)
def test_without_skills_nothing_is_found_and_nothing_fails(ranker: str) -> None:
    found = SkillDetector(Shelf(()), ranker=ranker).detect("Use the baking skill to bake $bread")  # type: ignore[arg-type]
    assert (found.selected, found.dropped, found.complete) == ((), (), True)


@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("request_", ["bake \ud800 bread", "\udfff", "\0", "\u202e bread", "👩‍🍳🍞"])
def test_any_text_can_be_asked(ranker: str, request_: str) -> None:
    found = SkillDetector(SHELF, ranker=ranker).detect(request_)  # type: ignore[arg-type]
    found.explain().encode("utf-8")


def test_the_index_is_built_once_and_again_when_skills_change() -> None:
    built: list[tuple[str, ...]] = []

    def factory(skills: Sequence[Skill]) -> Scores:
        built.append(tuple(skill.name for skill in skills))
        return Scores(mending_tyres=2.0)

    shelf = Shelf((TYRES,))
    chooses = SkillDetector(shelf, ranker=factory)
    for _ in range(3):
        assert chooses.detect("x").names == ("mending-tyres",)
    shelf.skills = (replace(TYRES, content_hash="other"), TAXES)
    assert chooses.detect("x").skills[0].content_hash == "other"
    assert built == [("mending-tyres",), ("mending-tyres", "filing-taxes")]


def test_a_long_request_is_read_at_both_ends_only() -> None:
    padding = "nothing of interest here at all " * 40_000
    for request in (ASKED + padding, padding + ASKED):
        found = SkillDetector(SHELF).detect(request)
        assert (found.names, found.shortened) == (("kitchen-basics", "baking-bread"), True)
    found = SkillDetector(SHELF).detect(padding + ASKED + padding)
    assert (found.names, found.shortened) == ((), True)


def test_the_explanation_names_every_skill_its_terms_and_its_reason() -> None:
    found = SkillDetector(SHELF).detect(f"{ASKED} And mend the tyre.", token_budget=400)
    lines = found.explain().splitlines()
    assert lines[0] == "2 skills, 350 of 400 tokens, ranker lexical"
    assert "+ kitchen-basics (50 tokens): required by baking-bread" in lines
    assert any(line.endswith("sourdough in description") for line in lines)
    assert "- mending-tyres: it takes 200 tokens, and 50 are left" in lines


def test_shares_of_the_terms_add_up_to_the_score() -> None:
    found = SkillDetector(SHELF).detect(f"{ASKED} {'And clean the kitchen. ' * 9}")
    for one in (*found.selected, *found.dropped):
        assert sum(match.score for match in one.matches) == pytest.approx(one.score, rel=1e-4)


def test_the_record_is_json_and_says_the_same() -> None:
    found = SkillDetector(SHELF).detect(ASKED, token_budget=1_000)
    record = json.loads(json.dumps(found.record()))
    assert [row["name"] for row in record["selected"]] == list(found.names)
    assert record["selected"][1]["matches"][0]["fields"]
    assert (record["tokens"], record["token_budget"], record["ranker"]) == (350, 1_000, "lexical")


def test_of_thousands_of_skills_the_closest_are_explained() -> None:
    shelf = Shelf(tuple(made(f"skill-{number:04}", "About otters.") for number in range(2_000)))
    found = SkillDetector(shelf).detect("otters")
    assert (found.selected, len(found.dropped)) == ((), 20)
    names = [skill.name for skill in shelf.skills[:50]]
    found = SkillDetector(shelf).detect("otters", explicit=names, token_budget=0)
    assert [one.name for one in found.dropped] == names


def test_a_skill_that_fits_is_chosen_behind_many_that_do_not() -> None:
    names = [f"s{number:02}" for number in range(30)]
    shelf = Shelf([made(name, "x", tokens=10 if name == "s29" else 1_000) for name in names])
    chooses = SkillDetector(shelf, ranker=lambda _: Scores(**{name: 9 - int(name[1:]) / 100 for name in names}))
    assert chooses.detect("x", token_budget=100).names == ("s29",)
    assert chooses.detect("x", token_budget=100, explicit=names[:25]).names == ("s29",)


NAMES = ("a", "b", "c", "d", "e", "f")
REQUIRES = {"a": "", "b": "a", "c": "a", "d": "b, c", "e": "", "f": "e"}


@given(
    scores=st.dictionaries(st.sampled_from(NAMES), st.floats(0.01, 9)),
    tokens=st.lists(st.integers(0, 900), min_size=6, max_size=6),
    explicit=st.lists(st.sampled_from(NAMES)),
    budget=st.none() | st.integers(0, 3_000),
    limit=st.integers(0, 4),
    request_=st.text()
    | st.sampled_from(["$d, and don't use the skill a", "use the b and f skills", "without the e skill"]),
)
def test_whatever_is_asked_the_result_is_closed_ordered_and_within_its_bounds(
    scores: dict[str, float], tokens: list[int], explicit: list[str], budget: int | None, limit: int, request_: str
) -> None:
    skills = [made(name, name, requires=REQUIRES[name], tokens=t) for name, t in zip(NAMES, tokens, strict=True)]
    chooses = SkillDetector(Shelf(skills), ranker=lambda _: Scores(**scores))
    found = chooses.detect(request_, explicit=explicit, token_budget=budget, limit=limit)
    before: set[str] = set()
    for skill in found.skills:
        assert {requirement.name for requirement in skill.requires} <= before
        before.add(skill.name)
    assert len(before) == len(found.skills)
    assert not before & {one.name for one in found.dropped}
    assert found.tokens == sum(skill.tokens for skill in found.skills)
    assert budget is None or found.tokens <= budget
    assert sum(one.reason is Reason.RANKED for one in found.selected) <= limit
    assert all(one.required_by for one in found.selected if one.reason is Reason.REQUIRED)
    if found.complete:
        assert set(explicit) <= before
    assert found == chooses.detect(request_, explicit=explicit, token_budget=budget, limit=limit)
    assert len(found.explain().splitlines()) >= 1 + len(found.selected) + len(found.dropped)
