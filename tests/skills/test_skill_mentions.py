"""Skills that a request names itself."""

from __future__ import annotations

import time

import pytest

from agentic_dsl.skills.mentions import Mentions, find_mentions

NAMES = ("planning", "planning-with-tools", "fork-and-join", "review2")


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ("$fork-and-join: split the work", ("fork-and-join",)),
        ("Use the fork-and-join skill.", ("fork-and-join",)),
        ("use the skill fork-and-join for it", ("fork-and-join",)),
        ('Please apply the "fork and join" skill', ("fork-and-join",)),
        ("follow your `fork_and_join` skill", ("fork-and-join",)),
        ("with the planning-with-tools and fork-and-join skills", ("planning-with-tools", "fork-and-join")),
        ("use planning, fork-and-join and review2 skills", ("planning", "fork-and-join", "review2")),
        ("skill: review2", ("review2",)),
        ("使用 fork-and-join 技能", ("fork-and-join",)),
        ("用「planning」这个技能", ("planning",)),
        ("fork-and-joinスキルを使って", ("fork-and-join",)),
        ("Use the review2 skill, then $planning", ("review2", "planning")),
        ("don't use the planning skill. On second thought: $planning", ("planning",)),
    ],
)
def test_a_skill_that_is_asked_for_by_name_is_wanted(request_: str, wanted: tuple[str, ...]) -> None:
    assert find_mentions(request_, NAMES) == Mentions(wanted)


@pytest.mark.parametrize(
    "request_",
    [
        "Don't use the fork-and-join skill here.",
        "do not use the fork-and-join skill",
        "never use the skill fork-and-join",
        "without the fork-and-join skill",
        "不要使用 fork-and-join 技能",
        "fork-and-joinスキルを使わないで",
    ],
)
def test_a_skill_can_be_refused(request_: str) -> None:
    assert find_mentions(request_, NAMES) == Mentions(unwanted=("fork-and-join",))


@pytest.mark.parametrize(
    "request_",
    [
        "I want to improve my planning skill",
        "fork and join the two searches",
        "planning",
        "It costs $planning-permission",
        "$planningpermission",
        "$$planning",
        "a_$planning",
        "skillful planning",
        "Use the planning-poker skill",
        "Use the skill planning-poker",
        "Use the skill planning_poker",
        "",
    ],
)
def test_a_name_alone_is_no_mention(request_: str) -> None:
    assert find_mentions(request_, NAMES).wanted == ()


def test_a_slip_of_the_pen_is_told_with_what_is_probably_meant() -> None:
    assert find_mentions("$fork-and-joyn $HOME $path $total", NAMES).unknown == (("fork-and-joyn", "fork-and-join"),)


def test_of_names_that_begin_alike_the_longest_counts() -> None:
    for written in ("planning-with-tools", "Planning with tools"):
        assert find_mentions(f"use the {written} skill", NAMES).wanted == ("planning-with-tools",)


def test_without_skills_nothing_is_mentioned() -> None:
    assert find_mentions("use the fork-and-join skill $planning", ()) == Mentions()


def test_hostile_texts_take_no_longer_than_others() -> None:
    names = tuple(f"skill-{number}-of-many" for number in range(300))
    for text in ("use the " * 2_000, "skill " * 3_000, "use " + "planning, " * 1_600, "$a-" * 5_000, "用" * 16_000):
        start = time.perf_counter()
        find_mentions(text, (*names, *NAMES))
        assert time.perf_counter() - start < 2
