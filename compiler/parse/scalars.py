"""Plain YAML scalars by the core schema of YAML 1.2: ``on`` and ``yes`` are strings, ``0o17`` and ``0x1f`` numbers."""

from __future__ import annotations

import math
import re

ScalarValue = None | bool | int | float | str
"""What a scalar of the core schema can be."""

MAX_NUMBER_LENGTH = 3_500
"""Longest integer literal: Python prints at most 4,300 digits, and 3,500 hexadecimal ones stay below that."""

_WORDS: dict[str, ScalarValue] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: -math.inf for word in (".inf", ".Inf", ".INF")},
}

_NUMBER_START = frozenset("+-.0123456789")
_SPECIAL_START = _NUMBER_START | {word[:1] for word in _WORDS}
"""How everything begins that is no text; told first, because most plain scalars are words."""

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASES = ((re.compile(r"0o[0-7]+"), 8), (re.compile(r"0x[0-9a-fA-F]+"), 16))
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str) -> ScalarValue:
    """The value of a plain scalar.

    An integer literal longer than `MAX_NUMBER_LENGTH` stays the text that it is (see `is_oversized`).
    """
    if text[:1] not in _SPECIAL_START:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _DECIMAL.fullmatch(text):
        return text if len(text) > MAX_NUMBER_LENGTH else int(text)
    for pattern, base in _BASES:
        if pattern.fullmatch(text):
            return text if len(text) > MAX_NUMBER_LENGTH else int(text[2:], base)
    return float(text) if _FLOAT.fullmatch(text) else text


def is_oversized(text: str) -> bool:
    """Whether a plain scalar is an integer literal too long to be one."""
    return len(text) > MAX_NUMBER_LENGTH and any(
        pattern.fullmatch(text) for pattern in (_DECIMAL, *(pattern for pattern, _ in _BASES))
    )
