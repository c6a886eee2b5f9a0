"""Names and literals of the constraints, printed as the formatter prints them."""

from __future__ import annotations

from typing import Any

from agentic_dsl.format_values import bare, inline, quote


def print_text(text: str) -> str:
    """A string in double quotes."""
    return quote(text)


def print_name(name: str) -> str:
    """A name or key, without quotes where that is safe."""
    return bare(name)


def print_value(value: Any) -> str:
    """A scalar or a list of scalars on one line."""
    return inline(tuple(value) if isinstance(value, list) else value)
