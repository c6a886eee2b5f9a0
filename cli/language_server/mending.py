"""A text that can be read, made from one that is half written, for questions about what stands around the cursor."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.ast import Opaque
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor

_CLOSERS = {"[": "]", "{": "}"}


def readable(cursor: Cursor, last: Analysis | None) -> Analysis:
    """The first text in which the cursor's block can be read, the text itself if there is none.

    Args:
        cursor: where somebody writes.
        last: the last analysis of the document in which every block could be read.
    """
    if _reads(cursor.analysis, cursor):
        return cursor.analysis
    for text in _mended(cursor):
        mended = cursor.analysis.changed(text)
        if _reads(mended, cursor):
            return mended
    return last if last is not None and _reads(last, cursor) else cursor.analysis


def _reads(analysis: Analysis, cursor: Cursor) -> bool:
    """Whether the block of the same number is the cursor's block, and could be read."""
    blocks = analysis.document.blocks
    block = blocks[cursor.block] if cursor.block < len(blocks) else None
    if block is None or isinstance(block, Opaque):
        return False
    return analysis is cursor.analysis or str(block.path) == cursor.path.partition("@")[0]


def _mended(cursor: Cursor) -> Iterator[str]:
    """The text with the cursor's line closed where the cursor stands, and the text without that line."""
    text = cursor.analysis.text
    line = cursor.analysis.positions.line_at(cursor.offset)
    yield text[: cursor.offset] + _closers(text[line.start : cursor.offset]) + text[line.end :]
    yield text[: line.start] + text[line.end :]


def _closers(written: str) -> str:
    """What closes the quotes and brackets that a line opens."""
    opened: list[str] = []
    quote = ""
    for before, character in zip(" " + written, written, strict=False):
        if quote:
            quote = "" if character == quote and before != "\\" else quote
        elif character in "\"'" and before in " \t[{,:":
            quote = character
        elif character in _CLOSERS:
            opened.append(_CLOSERS[character])
        elif opened and character == opened[-1]:
            opened.pop()
    return quote + "".join(reversed(opened))
