"""Offsets, lines and columns."""

import pytest

from agentic_dsl.span import NOWHERE, Position, Source, Span, SpanTable


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("", 0, (1, 1)),
        ("ab", 1, (1, 2)),
        ("ab", 2, (1, 3)),
        ("a\nb", 1, (1, 2)),
        ("a\nb", 2, (2, 1)),
        ("a\r\nb", 3, (2, 1)),
        ("a\r\nb", 2, (1, 3)),
        ("a\rb", 2, (2, 1)),
        ("a\r\r\nb", 4, (3, 1)),
        ("a\n\nb", 3, (3, 1)),
        ("\U0001f600x\n\U0001f600y", 4, (2, 2)),
        ("a\u2028b\x85c", 4, (1, 5)),
        ("ab", 99, (1, 3)),
        ("ab", -5, (1, 1)),
    ],
)
def test_a_position_counts_lines_as_editors_do_and_columns_in_code_points(
    text: str, offset: int, expected: tuple[int, int]
) -> None:
    assert Source(text).position(offset) == Position(*expected)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_has_no_line_end(end: str) -> None:
    source = Source(f"one{end}{end}three{end}")
    assert [source.line(number) for number in range(6)] == ["", "one", "", "three", "", ""]


def test_every_offset_is_found_again_from_its_position() -> None:
    text = "a\r\nbb\n\rccc\n"
    source = Source(text)
    for offset, char in enumerate(text):
        line, column = source.position(offset)
        shown = source.line(line)
        assert char in "\r\n" or shown[column - 1] == char


def test_a_shifted_span_keeps_its_length() -> None:
    assert Span(2, 5).shift(10) == Span(12, 15)


def test_a_span_table_falls_back_to_the_nearest_value_around() -> None:
    table = SpanTable(values={("a",): Span(1, 9), ("a", "b"): Span(3, 4)}, keys={("a", "b"): Span(2, 3)})
    assert table.value(("a", "b", 0, "c")) == Span(3, 4)
    assert table.value(("a", "x")) == Span(1, 9)
    assert table.value(("x",)) is None
    assert table.value(()) is None
    assert table.key(("a", "b")) == Span(2, 3)
    assert table.key(("a",)) == Span(1, 9)
    assert Span(0, 0) == NOWHERE
