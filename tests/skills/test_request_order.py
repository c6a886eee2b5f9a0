"""The order of requests: the same for everyone, so that what is equal stands in the same place."""

from __future__ import annotations

import itertools

import pytest
from detection_skills import made
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.skills.request import ORDER, in_order, in_stable_order, skill_segment, spaced
from agentic_dsl.skills.segments import Segment, SegmentKind
from agentic_dsl.skills.skill import Skill


def names(skills: list[Skill]) -> list[str]:
    return [skill.name for skill in skills]


def test_every_kind_has_one_place_in_requests() -> None:
    assert sorted(ORDER) == sorted(SegmentKind)
    assert ORDER[-1] is SegmentKind.QUESTION


def test_segments_of_one_kind_stay_as_they_were_given() -> None:
    kinds = [SegmentKind.QUESTION, SegmentKind.SKILL, SegmentKind.SYSTEM_PROMPT, SegmentKind.SKILL]
    segments = [Segment(kind, str(number), "x") for number, kind in enumerate(kinds)]
    assert [segment.name for segment in in_order(segments)] == ["2", "1", "3", "0"]


def test_what_others_require_comes_before_them_and_otherwise_the_name_decides() -> None:
    skills = [
        made("bread", "x", requires="kitchen"),
        made("apples", "x", requires="zucchini"),
        made("kitchen", "x"),
        made("zucchini", "x"),
        made("cake", "x", requires="bread"),
    ]
    for order in itertools.permutations(skills):
        assert names(in_stable_order(order)) == ["kitchen", "bread", "cake", "zucchini", "apples"]


def test_a_skill_that_is_given_twice_is_there_once() -> None:
    assert names(in_stable_order([made("b", "x"), made("a", "x"), made("b", "x")])) == ["a", "b"]
    assert in_stable_order([]) == []


def test_what_is_required_but_not_given_changes_nothing() -> None:
    assert names(in_stable_order([made("b", "x", requires="nowhere"), made("a", "x")])) == ["a", "b"]


def test_skills_that_require_each_other_are_ordered_by_name() -> None:
    circle = [made("c", "x", requires="a"), made("b", "x", requires="c"), made("a", "x", requires="b")]
    for order in itertools.permutations(circle):
        assert names(in_stable_order(order)) == ["a", "b", "c"]


@given(st.data())
def test_no_skill_comes_before_what_it_requires(data: st.DataObject) -> None:
    letters = data.draw(st.permutations("abcdefg"))
    skills = []
    for at, letter in enumerate(letters):
        needs = data.draw(st.sets(st.sampled_from(letters[:at]), max_size=3)) if at else set()
        skills.append(made(letter, "x", requires=", ".join(sorted(needs))))
    ordered = in_stable_order(data.draw(st.permutations(skills)))
    assert ordered == in_stable_order(skills)
    seen: set[str] = set()
    for skill in ordered:
        assert {need.name for need in skill.requires} <= seen
        seen.add(skill.name)


def test_a_skill_stands_under_a_heading_with_its_name() -> None:
    segment = skill_segment(made("bread", "x", body="Knead."))
    assert segment == Segment(SegmentKind.SKILL, "bread", "# Skill: bread\n\nKnead.")


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b"], ["a", "b", "c"]])
def test_the_blank_line_between_segments_belongs_to_the_one_before(texts: list[str]) -> None:
    parts = list(spaced(Segment(SegmentKind.CONTEXT, text, text) for text in texts))
    assert "".join(part.text for part in parts) == "\n\n".join(texts)
    assert [part.name for part in parts] == texts
    assert all(part.text == f"{part.name}\n\n" for part in parts[:-1])
