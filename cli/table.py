"""Tables as commands print them: titles, aligned columns, nothing that steers a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentic_dsl.cli.findings import cells, printable
from agentic_dsl.cli.output import Styled

_WIDEST = 60
"""Cells of a column beyond which a text is cut."""


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[str] = frozenset()
) -> Iterator[Styled]:
    """The lines of a table.

    Args:
        titles: one a column.
        rows: one text a column.
        right: the titles of columns that are aligned to the right, as numbers are.
    """
    shown = [list(titles), *([_cut(printable(" ".join(cell.split()))) for cell in row] for row in rows)]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    for number, row in enumerate(shown):
        parts = []
        for title, cell, width in zip(titles, row, widths, strict=True):
            space = " " * (width - cells(cell))
            parts.append(space + cell if title in right else cell + space)
        yield [("  ".join(parts), "" if number else "bold")]


def _cut(text: str) -> str:
    """A text that is not too wide, cut between words where it can be."""
    if cells(text) <= _WIDEST:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) >= _WIDEST:
            break
        kept += character
    head, _, tail = kept.rpartition(" ")
    return (head if head and len(tail) < _WIDEST // 3 else kept) + "…"
