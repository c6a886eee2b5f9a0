"""The benchmark of skills: what it counts and prints, without an engine."""

from __future__ import annotations

from agentic_dsl.skills.folders import library_folder
from agentic_dsl.skills.registry import SkillRegistry
from benchmarks.bench_skills import Measured, first_of_each, requests, table


def test_a_way_is_compared_with_the_first_one_by_medians() -> None:
    slow = [Measured(first=seconds, prompt=4_800, cached=0, answer=(1, 2)) for seconds in (9.0, 12.0, 30.0)]
    quick = [Measured(first=0.5, prompt=4_800, cached=4_700, answer=(1, 2))]
    *_, without, reuse = table({"without": slow, "reuse": quick}).splitlines()
    assert [cell.strip() for cell in without.strip("|").split("|")] == [
        *("without", "3", "4,800", "12.000", "9.000–30.000", "1.0 ×")
    ]
    assert [cell.strip() for cell in reuse.strip("|").split("|")][-3:] == ["0.500", "0.500–0.500", "24.0 ×"]


def test_requests_repeat_their_skills_and_never_their_question() -> None:
    asked = requests(SkillRegistry.load([library_folder()]), 12)
    assert len({request.prompt for request in asked}) == 12
    assert len(first_of_each(asked)) == 2
    assert requests(SkillRegistry.load([library_folder()]), 12) == asked
