"""Every rule for skills: there once, found in its bad example at a place, and not in its good one."""

from __future__ import annotations

import re

import pytest

from agentic_dsl import codes
from agentic_dsl.skills.skill_rules import RULES, SkillRule, find_skill_rule

PLACES = {
    "SKL001": (1, 1),
    "SKL002": (1, 1),
    "SKL003": (2, 8),
    "SKL004": (1, 1),
    "SKL101": (1, 1),
    "SKL102": (1, 1),
    "SKL103": (2, 1),
    "SKL104": (4, 1),
    "SKL105": (1, 1),
    "SKL106": (4, 10),
    "SKL107": (2, 7),
    "SKL108": (2, 7),
    "SKL109": (3, 14),
    "SKL110": (4, 16),
    "SKL111": (5, 12),
    "SKL112": (5, 12),
    "SKL113": (5, 9),
    "SKL114": (5, 14),
    "SKL115": (5, 10),
    "SKL201": (5, 1),
    "SKL202": (5, 1),
    "SKL203": (9, 6),
    "SKL204": (9, 17),
    "SKL206": (1, 1),
    "SKL302": (5, 13),
    "SKL303": (5, 14),
    "SKL304": (5, 13),
}
"""Where the bad example of each rule breaks it: line and column."""

NEEDS_MORE_THAN_FILES = {"SKL005", "SKL205", "SKL207", "SKL301", "SKL305", "SKL306", "SKL307"}
"""These have tests of their own: links, pipes, sizes, several roots, changes in time."""


def test_every_code_has_one_rule_in_order() -> None:
    assert [rule.kind for rule in RULES] == list(codes.SKILL_CODES)


def test_every_rule_is_shown_here_or_by_a_test_of_its_own() -> None:
    assert PLACES.keys() | NEEDS_MORE_THAN_FILES == {code.code for code in codes.SKILL_CODES}
    assert {rule.kind.code for rule in RULES if not rule.bad.files} == NEEDS_MORE_THAN_FILES


@pytest.mark.parametrize("code", codes.SKILL_CODES, ids=lambda code: code.code)
def test_a_code_of_skills_is_well_formed(code: codes.Code) -> None:
    assert re.fullmatch(r"SKL[0-9]{3}", code.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.name)
    assert code.summary.endswith(".")


def test_codes_of_skills_are_none_of_documents() -> None:
    assert not {code.code for code in codes.SKILL_CODES} & {code.code for code in codes.ALL_CODES}
    assert not {code.name for code in codes.SKILL_CODES} & {code.name for code in codes.ALL_CODES}
    assert len({code.name for code in codes.SKILL_CODES}) == len(codes.SKILL_CODES)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.bad.files], ids=lambda rule: rule.kind.code)
def test_the_bad_example_breaks_this_rule_alone_and_says_where(rule: SkillRule) -> None:
    findings = rule.bad.findings()
    assert {finding.diagnostic.kind for finding in findings} == {rule.kind}
    first = findings[0]
    assert first.source.position(first.diagnostic.span.start) == PLACES[rule.kind.code]
    assert first.diagnostic.message
    assert first.diagnostic.help
    assert first.diagnostic.severity is rule.kind.severity


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind.code)
def test_the_good_example_breaks_no_rule(rule: SkillRule) -> None:
    assert rule.good.files
    assert rule.good.findings() == ()
    assert rule.why.endswith(".")
    assert rule.bad.excerpt()


def test_a_rule_is_found_by_code_and_by_name_in_any_case() -> None:
    assert find_skill_rule("skl304") is find_skill_rule("Skill-Cycle") is not None
    assert find_skill_rule("ADL203") is None
