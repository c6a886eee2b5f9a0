"""How benchmarks print what they measured."""

from __future__ import annotations

import pytest

from benchmarks.measure import Timing, markdown_table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ((0.00223, 0.00215, 0.00281), "2.23 ms (2.15–2.81, n=3)"),
        ((1.1666, 0.9994, 1.2), "1,167 ms (999–1,200, n=3)"),
        ((0.9996,), "1,000 ms (1,000–1,000, n=1)"),
    ],
)
def test_a_time_has_three_digits_and_no_exponent(seconds: tuple[float, ...], text: str) -> None:
    assert Timing(seconds).text() == text


def test_a_table_fills_up_short_rows() -> None:
    assert markdown_table(("what", "a", "b"), [("x", "1"), ("y", "2", "3")]) == (
        "| what | a | b |\n| --- | --- | --- |\n| x | 1 |  |\n| y | 2 | 3 |"
    )
