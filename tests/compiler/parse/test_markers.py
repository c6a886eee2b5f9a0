from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.markers import is_marker, without_markers
from agentic_dsl.diagnostics import Diagnostic

BEGIN, END = "# --- BEGIN AgenticDSL ---", "# --- END AgenticDSL ---"


def inner(body: str, *, closed: bool = True) -> tuple[str, list[Diagnostic]]:
    findings: list[Diagnostic] = []
    span = without_markers(body, 100, findings, closed=closed)
    return body[span.start : span.end].strip(), findings


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("begin", "close"),
    [(BEGIN, END), ("#BEGIN AgenticDSL", "  # END  AgenticDSL"), ("# - BEGIN AgenticDSL-", END + " ")],
)
def test_what_stands_between_the_markers_is_the_yaml(begin: str, close: str, end: str) -> None:
    assert inner(end.join(["", begin, "a: 1", close, "", ""])) == ("a: 1", [])


def test_markers_are_optional() -> None:
    assert inner("a: 1 # AgenticDSL\n") == ("a: 1 # AgenticDSL", [])


@pytest.mark.parametrize(("body", "at"), [(f"{BEGIN}\na: 1\n", 100), (f"a: 1\n{END}\n", 105)])
def test_a_marker_without_its_partner_is_reported(body: str, at: int) -> None:
    text, (finding,) = inner(body)
    assert text == "a: 1"
    assert (finding.code, finding.is_error, finding.span.start) == ("ADL007", False, at)


def test_an_unclosed_block_has_lost_its_end_marker_too() -> None:
    assert inner(f"{BEGIN}\na: 1\n", closed=False) == ("a: 1", [])


def test_a_marker_in_the_middle_is_reported_and_stays() -> None:
    body = f"{BEGIN}\na: 1\n{END}\nb: 2\n{BEGIN}\n{END}\n"
    text, findings = inner(body)
    assert text == f"a: 1\n{END}\nb: 2\n{BEGIN}"
    assert [(finding.code, body[finding.span.start - 100 : finding.span.end - 100]) for finding in findings] == [
        ("ADL007", END),
        ("ADL007", BEGIN),
    ]


def test_a_marker_is_told_from_a_comment() -> None:
    assert is_marker(" --- BEGIN AgenticDSL ---".removeprefix(" "))
    assert not is_marker("BEGIN AgenticDSL and more")
