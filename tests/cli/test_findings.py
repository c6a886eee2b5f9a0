"""How a finding is shown."""

from __future__ import annotations

from agentic_dsl.cli.findings import cells, printable, show, summary
from agentic_dsl.codes import CYCLE, NAMESPACE, UNKNOWN_KEY
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Source, Span


def shown(diagnostic: Diagnostic, text: str) -> list[str]:
    lines = show([diagnostic], Source(text, "plan.md"))
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def test_the_line_is_shown_with_a_caret_and_the_remedy() -> None:
    finding = CYCLE.at(Span(10, 13), 'node "b" waits for "c"', help="drop one of the two references")
    assert shown(finding, "one\n  two: [abc]\n") == [
        'plan.md:2:7: error ADL203 node "b" waits for "c"',
        "  |",
        "2 |   two: [abc]",
        "  |       ^^^",
        "  = help: drop one of the two references",
        "",
    ]


def test_the_standard_name_is_told() -> None:
    assert "  = standard: ERR_NAMESPACE_VIOLATION" in shown(NAMESPACE.at(Span(0, 1), "m"), "x")


def test_a_caret_stands_under_wide_and_combined_characters() -> None:
    text = "漢字é: x"
    finding = UNKNOWN_KEY.at(Span(text.index("x"), text.index("x") + 1), "m")
    lines = shown(finding, text)
    assert cells(lines[3][:-1]) == cells(lines[2][: lines[2].index("x")])


def test_tabs_are_widened_and_control_characters_shown() -> None:
    assert printable("a\tb\x1b[31m\x7f‮") == "a    b␛[31m␡�"
    lines = shown(UNKNOWN_KEY.at(Span(1, 2), "bad \x1b[2J"), "\tx\n")
    assert all("\x1b" not in line for line in lines)
    assert lines[3].index("^") == lines[2].index("x")


def test_of_a_long_line_the_part_around_the_finding_is_shown() -> None:
    text = "a" * 5000 + "X" + "b" * 5000
    lines = shown(UNKNOWN_KEY.at(Span(5000, 5001), "m"), text)
    assert len(lines[2]) < 120
    assert lines[3].index("^") == lines[2].index("X")


def test_a_finding_over_several_lines_is_marked_to_the_end_of_the_first() -> None:
    assert shown(UNKNOWN_KEY.at(Span(2, 9), "m"), "ab cd\nef gh\n")[3] == "  |   ^^^"


def test_an_empty_line_is_not_shown() -> None:
    assert shown(UNKNOWN_KEY.at(Span(0, 0), "m"), "") == ["plan.md:1:1: warning ADL106 m", ""]


def test_the_summary_counts() -> None:
    assert summary(1, []) == "1 file: 0 errors, 0 warnings"
    assert summary(2, [CYCLE.at(Span(0, 0), "m"), UNKNOWN_KEY.at(Span(0, 0), "m")]) == "2 files: 1 error, 1 warning"
