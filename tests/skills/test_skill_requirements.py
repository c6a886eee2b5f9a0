"""Requirements of skills: how they are written, and which versions they admit."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.skills.requirements import parse_requires


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        ("a", ["0", "1.2.3"], []),
        ("a>=1.0", ["1", "1.0.0", "2.5"], ["0.9.9"]),
        ("a > 1.0", ["1.0.1"], ["1", "0.9"]),
        ("a<2", ["1.9.9"], ["2", "2.0.1"]),
        ("a<=2", ["2", "1"], ["2.0.1"]),
        ("a==1.2", ["1.2.0"], ["1.2.1"]),
        ("a@1.2", ["1.2.0", "1.2.9"], ["1.3"]),
        ("a^1.2", ["1.2", "1.9"], ["1.1", "2"]),
        ("a^0.2", ["0.2.5"], ["0.3"]),
        ("a~1.2", ["1.2.9"], ["1.3"]),
        ("a>=1.0<2.0", ["1.0", "1.9"], ["0.9", "2.0"]),
        ("a >= v1.0 < v2", ["1.5"], ["2"]),
    ],
)
def test_a_bound_admits_what_it_says(text: str, admitted: list[str], refused: list[str]) -> None:
    found = parse_requires(text)
    assert not isinstance(found, Problem)
    [(requirement, _)] = found
    assert requirement.name == "a"
    for version in admitted:
        assert requirement.admits(parse_version(version)), version
    for version in refused:
        assert not requirement.admits(parse_version(version)), version


def test_a_skill_without_a_version_is_within_no_bound() -> None:
    found = parse_requires("a, b>=0")
    assert not isinstance(found, Problem)
    assert [requirement.admits(None) for requirement, _ in found] == [True, False]


def test_each_requirement_has_its_place() -> None:
    text = "one>=1.0,  two ,three^2"
    found = parse_requires(text)
    assert not isinstance(found, Problem)
    assert [text[place.start : place.end] for _, place in found] == ["one>=1.0", "two", "three^2"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("a,", ""),
        (" ", ""),
        ("a,  , b", ""),
        ("a, B", "B"),
        ("a b", "a b"),
        ("a>=", "a>="),
        ("a>=x", "a>=x"),
        ("a>=1.2.3.4", "a>=1.2.3.4"),
        ("a=>1", "a=>1"),
        ("a--b", "a--b"),
        ("a, a>=1", "a>=1"),
    ],
)
def test_what_cannot_be_read_is_a_problem_at_its_place(text: str, part: str) -> None:
    problem = parse_requires(text)
    assert isinstance(problem, Problem)
    assert text[problem.span.start : problem.span.end] == part
    assert problem.help


def test_a_requirement_is_printed_as_it_is_written() -> None:
    found = parse_requires("one >= 1.0 < 2, two")
    assert not isinstance(found, Problem)
    assert [str(requirement) for requirement, _ in found] == ["one>=1.0<2", "two"]
