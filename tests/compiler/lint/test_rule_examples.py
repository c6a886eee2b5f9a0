"""Every rule: its bad example is found, its good example is clean, and what it says of itself holds together."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agentic_dsl.codes import ALL_CODES
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES, find_rule
from agentic_dsl.compiler.lint.rule import Example, Rule
from agentic_dsl.compiler.lint.shown import finding_of, findings_of
from agentic_dsl.compiler.sources import document_of

QUICK = [rule for rule in RULES if not rule.bad.costly]


def _codes(rule: Rule, *, bad: bool) -> set[str]:
    return {finding.diagnostic.code for finding in findings_of(rule.bad if bad else rule.good)}


def test_every_code_has_exactly_one_rule_and_they_stand_in_order() -> None:
    assert [rule.code for rule in RULES] == [code.code for code in ALL_CODES]


def test_rules_are_found_by_code_and_by_name_in_any_case() -> None:
    assert find_rule("adl203") is find_rule("cycle") is BY_CODE["ADL203"]
    assert find_rule("ADL999") is None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_bad_example_of_a_rule_has_its_finding_and_no_other(rule: Rule) -> None:
    assert _codes(rule, bad=True) == {rule.code, *rule.also}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_good_example_of_a_rule_has_no_finding_at_all(rule: Rule) -> None:
    assert _codes(rule, bad=False) == set()


@pytest.mark.parametrize("rule", QUICK, ids=lambda rule: rule.code)
def test_a_finding_names_its_offender_and_a_remedy_in_one_sentence_each(rule: Rule) -> None:
    message, help_ = finding_of(rule)
    assert message
    assert not message.endswith(".")
    assert "None" not in message
    assert help_ is None or not help_.endswith(".")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_says_why_in_whole_sentences(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z/\"].*[.]", rule.why, re.DOTALL)
    assert len(rule.why) < 300
    assert rule.bad.excerpt()
    assert rule.good.excerpt()


@pytest.mark.parametrize("rule", [r for r in QUICK if r.code[:4] in ("ADL8", "ADL9")], ids=lambda rule: rule.code)
def test_the_finding_of_a_rule_of_lint_stands_on_text_of_the_document(rule: Rule) -> None:
    text = document_of(rule.bad.document().encode(), "x.md").source.text
    for finding in findings_of(rule.bad):
        span = finding.diagnostic.span
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end].strip()


@pytest.mark.parametrize("rule", [rule for rule in QUICK if rule.fixable], ids=lambda rule: rule.code)
def test_the_fix_of_the_bad_example_stays_within_the_text_and_in_order(rule: Rule) -> None:
    fixes = [finding.fix for finding in findings_of(rule.bad) if finding.diagnostic.code == rule.code]
    assert any(fixes)
    for fix in fixes:
        if fix is not None:
            ends = [edit.span.end for edit in fix.edits]
            assert ends == sorted(ends)
            assert max(ends) <= len(rule.bad.document())


def _places(example: Example) -> list[tuple[str, int, int]]:
    found = (finding.diagnostic for finding in findings_of(example))
    return [(d.code, d.span.start, d.span.end) for d in found]


@pytest.mark.parametrize("rule", QUICK, ids=lambda rule: rule.code)
def test_findings_move_with_the_text_before_them(rule: Rule) -> None:
    if rule.code == "ADL001":
        return  # nothing of such a text is read
    before = "<!-- é: a remark -->\n\n"
    moved = _places(replace(rule.bad, text=before + rule.bad.document()))
    places = _places(rule.bad)
    assert [code for code, _, _ in moved] == [code for code, _, _ in places]
    if rule.code not in ("ADL003", "ADL711"):  # about the document as a whole
        assert [start for _, start, _ in moved] == [start + len(before) for _, start, _ in places]


@pytest.mark.parametrize("rule", QUICK, ids=lambda rule: rule.code)
def test_line_ends_of_another_kind_change_no_finding(rule: Rule) -> None:
    other = replace(rule.bad, text=rule.bad.document().replace("\n", "\r\n"))
    assert {code for code, _, _ in _places(other)} == {rule.code, *rule.also}
