from __future__ import annotations

import math

import pytest

from agentic_dsl.compiler.parse.scalars import MAX_NUMBER_LENGTH, ScalarValue, is_oversized, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, word) for word in ("on", "off", "yes", "no", "Yes", "y", "n", "nULL", "tRue", "NaN", "inf")),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("017", 17),
        ("0o17", 15),
        ("0x1f", 31),
        ("0X1f", "0X1f"),
        ("-0x1f", "-0x1f"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("1e", "1e"),
        (".", "."),
        ("-", "-"),
        (".inf", math.inf),
        ("+.INF", math.inf),
        ("-.Inf", -math.inf),
        ("1e999", math.inf),
        ("٣", "٣"),
        ("2024-01-31", "2024-01-31"),
    ],
)
def test_a_plain_scalar_is_what_the_core_schema_says(text: str, value: ScalarValue) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number_is_one(text: str) -> None:
    value = resolve(text)
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 4000, "0o" + "7" * 6000])
def test_an_endless_number_stays_text(text: str) -> None:
    assert resolve(text) == text
    assert is_oversized(text)


def test_the_longest_number_can_be_printed() -> None:
    for text in ("9" * MAX_NUMBER_LENGTH, "0x" + "f" * (MAX_NUMBER_LENGTH - 2)):
        assert str(resolve(text)).isdigit()
        assert not is_oversized(text)


def test_a_long_float_is_no_endless_number() -> None:
    assert resolve("0." + "1" * 5000) == pytest.approx(1 / 9)
    assert not is_oversized("0." + "1" * 5000)
