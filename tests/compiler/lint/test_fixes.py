"""Fixes keep whatever they do not name, change no meaning but what their rule says, and come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_dsl.compiler.lint.fix import Edit, Fix, apply_fixes
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.registry import RULES
from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.normalise import normalise
from agentic_dsl.span import Span

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    *sorted((ROOT / "tests" / "fixtures").glob("*/*.md")),
    *sorted((ROOT / "examples").glob("*.md")),
]
EVERYTHING = Selection()
SPELLINGS = Selection(("ADL120", "ADL914", "ADL991"))
"""The rules whose fixes change no meaning at all."""


def _fixed(text: str, selection: Selection = EVERYTHING, *, unsafe: bool = False) -> tuple[str, int]:
    linted, applied = Project({"x.md": text.encode()}).fix("x.md", selection, unsafe=unsafe)
    return linted.document.source.text, applied


def _fix(*edits: tuple[int, int, str]) -> Fix:
    return Fix("mend it", tuple(Edit(Span(start, end), text) for start, end, text in edits))


def test_edits_replace_what_they_name_and_keep_the_rest() -> None:
    assert apply_fixes("one two three", [_fix((4, 7, "2")), _fix((0, 3, "1"))]) == ("1 2 three", 2)


def test_of_two_fixes_that_meet_the_first_is_applied() -> None:
    assert apply_fixes("one two", [_fix((0, 5, "x")), _fix((4, 7, "y"))]) == ("xwo", 1)
    assert apply_fixes("one", [_fix((0, 0, "a")), _fix((0, 0, "b"))])[1] == 1


def test_a_fix_of_several_edits_is_applied_as_a_whole_or_not_at_all() -> None:
    assert apply_fixes("one two", [_fix((0, 3, "1"), (4, 7, "2")), _fix((4, 5, "T"))]) == ("1 2", 1)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fixes_of_spellings_change_no_meaning(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    fixed, _ = _fixed(text, SPELLINGS)
    assert normalise(parse(fixed)) == normalise(parse(text))


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fixing_twice_is_fixing_once(path: Path, unsafe: bool) -> None:
    once, _ = _fixed(path.read_text(encoding="utf-8"), unsafe=unsafe)
    assert _fixed(once, unsafe=unsafe) == (once, 0)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.fixable], ids=lambda rule: rule.code)
def test_the_fix_of_a_rule_leaves_no_finding_of_it_in_the_bad_example(rule: Rule) -> None:
    bad = rule.bad.document()
    fixed, applied = _fixed(bad, unsafe=True)
    assert applied >= 1
    assert parse(fixed).has_errors is False
    assert _fixed(fixed, Selection((rule.code,)), unsafe=True) == (fixed, 0)


def test_an_old_type_in_block_style_gets_the_field_that_it_implied_and_keeps_comments() -> None:
    text = (
        "### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\nnodes:\n"
        "  - id: ask # the question\n    type: llm_call # old\n    prompt_template: 'Hi'\n    output_keys: [words]\n"
        "    next: [done]   # relative\n  - {id: done, type: end}\n```\n\nThe   end.  \n"
    )
    fixed, applied = _fixed(text)
    assert applied == 2
    assert fixed == text.replace("type: llm_call", "llm_tool_name: llama-default\n    type: dsl_call").replace(
        "[done]", '["/main/p/done"]'
    )


def test_unsafe_fixes_are_applied_only_when_they_are_asked_for() -> None:
    text = (
        "### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\n"
        "signature: '(city: string) -> {words: string}'\nnodes:\n"
        "  - {id: ask, type: assign, assign: {words: 'To {city} {{ city }}'}, next: ['/main/p/done']}\n"
        "  - {id: done, type: end}\n```\n"
    )
    assert _fixed(text) == (text, 0)
    assert _fixed(text, unsafe=True) == (text.replace("{city} ", "{{ city }} "), 1)


def test_a_file_with_line_ends_of_another_kind_keeps_them() -> None:
    text = (
        "### AgenticDSL `/main/p`\r\n```yaml\r\ngraph_type: subgraph\r\nnodes:\r\n  - id: ask\r\n    type: llm_call\r\n"
        "    prompt_template: Hi\r\n    output_keys: [words]\r\n    next: [/main/p/done]\r\n"
        "  - {id: done, type: end}\r\n```\r\n"
    )
    fixed, applied = _fixed(text)
    assert applied == 1
    assert fixed.count("\n") == fixed.count("\r\n") == text.count("\n") + 1


def test_a_file_that_is_no_text_is_never_written_back() -> None:
    raw = b"<!-- adl: ignore-file ADL853 -->\n\xff\n"
    linted, applied = Project({"x.md": raw}).fix("x.md", Selection(), unsafe=True)
    assert applied == 0
    assert linted.document.source.text == raw.decode("utf-8", "replace")
