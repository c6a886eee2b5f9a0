"""Comments that leave findings out: what they cover, when they are unused, and how broken ones are found."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.finding import Finding
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.selection import Selection

CAMEL = "- {id: firstStep, type: assign, assign: {y: 1}, next: [/main/p/done]}\n- {id: done, type: end}"
ONE = subgraph(CAMEL)
OTHER = subgraph(CAMEL.replace("/main/p", "/main/q"), path="/main/q")


def _found(text: str, **selection: tuple[str, ...]) -> tuple[Finding, ...]:
    return judged(Project({"x.md": text.encode()}).lint()["x.md"], Selection(**selection))


def _codes(text: str, **selection: tuple[str, ...]) -> list[str]:
    return [finding.diagnostic.code for finding in _found(text, **selection)]


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- adl: ignore ADL851 -->",
        "<!--adl:ignore ADL851-->",
        "<!-- adl: ignore ADL85 -->",
        "<!-- adl: ignore id-style -->",
        "<!-- adl: ignore ADL851 -- the name of another system -->",
        "<!-- adl: ignore-file ADL851 -->",
    ],
)
def test_a_comment_before_a_block_leaves_its_findings_out(comment: str) -> None:
    assert _codes(ONE) == ["ADL851"]
    assert _codes(f"{comment}\n\n{ONE}") == []


def test_a_comment_covers_the_next_block_only_and_one_for_the_file_all() -> None:
    assert _codes(f"<!-- adl: ignore ADL851 -->\n\n{ONE}\n{OTHER}") == ["ADL851"]
    assert _codes(f"{ONE}\n{OTHER}\n<!-- adl: ignore-file ADL851 -->\n") == []


def test_a_comment_inside_of_a_block_is_no_suppression() -> None:
    inside = ONE.replace("graph_type", "# <!-- adl: ignore ADL851 -->\ngraph_type")
    assert _codes(inside) == ["ADL851"]


def test_findings_of_validate_are_left_out_too() -> None:
    text = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [/main/p/none]}")
    assert _codes(text) == ["ADL301"]
    assert _codes(f"<!-- adl: ignore ADL301 -->\n{text}") == []


def test_a_comment_that_leaves_nothing_out_is_a_finding_at_its_code() -> None:
    text = f"<!-- adl: ignore ADL851, ADL853 -->\n\n{ONE}"
    [finding] = _found(text)
    assert finding.diagnostic.code == "ADL991"
    assert text[finding.diagnostic.span.start : finding.diagnostic.span.end] == "ADL853"


def test_a_comment_for_a_rule_that_is_not_asked_for_is_let_alone() -> None:
    text = f"<!-- adl: ignore ADL853 -->\n\n{ONE}"
    assert _codes(text, select=("ADL851", "ADL991")) == ["ADL851"]
    assert _codes(text, ignore=("ADL991",)) == ["ADL851"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<!-- adl: ignore ADL853 -->\n\n{subgraph('- {id: done, type: end}')}", "\n### AgenticDSL"),
        (f"Text <!-- adl: ignore ADL853 --> more\n\n{subgraph('- {id: done, type: end}')}", "Text  more\n\n###"),
        (f"<!-- adl: ignore ADL851, ADL853 -- why -->\n{ONE}", "<!-- adl: ignore ADL851 -- why -->\n###"),
        (f"<!-- adl: ignore ADL853 ADL851 -->\n{ONE}", "<!-- adl: ignore ADL851 -->\n###"),
    ],
)
def test_the_fix_of_an_unused_comment_removes_it_and_nothing_else(text: str, expected: str) -> None:
    linted, applied = Project({"x.md": text.encode()}).fix("x.md", Selection(), unsafe=False)
    assert applied == 1
    fixed = linted.document.source.text
    assert fixed.startswith(expected)
    assert fixed.endswith(text[text.index("### ") :])
    assert judged(linted) == ()


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("<!-- adl: ignroe ADL851 -->", '"ignroe" is no instruction'),
        ("<!-- adl: ignore -->", "the comment names no code"),
        ("<!-- adl: -->", "the comment says nothing"),
        ("<!-- adl: ignore ADL999 -->", '"ADL999" names no rule'),
        ("<!-- adl: ignore ADL853\n", "the comment is not closed on its line"),
    ],
)
def test_a_broken_comment_says_what_is_wrong_with_it(comment: str, message: str) -> None:
    [finding] = [f.diagnostic for f in _found(f"{comment}\n\n{subgraph('- {id: done, type: end}')}")]
    assert (finding.code, finding.message) == ("ADL992", message)
    assert finding.help


def test_a_comment_that_no_block_follows_is_broken() -> None:
    [finding] = _found(f"{ONE}\n<!-- adl: ignore ADL851 -->\n", select=("ADL992",))
    assert finding.diagnostic.message == "no block follows the comment"


def test_other_comments_are_none_of_ours() -> None:
    assert _codes(f"<!-- a note on adl: ignore this -->\n<!-- prettier-ignore -->\n{ONE}") == ["ADL851"]
