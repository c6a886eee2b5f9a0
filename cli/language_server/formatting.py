"""Formatting, and new texts as the edits that make them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from lsprotocol import types

from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.format import format_document
from agentic_dsl.span import Span

MAX_COMPARED = 3_000
"""Changed lines that are compared one by one; comparing takes quadratic time."""


def formatting(analysis: Analysis) -> list[types.TextEdit]:
    """The edits that give the canonical layout; none where the document cannot be read, as with `fmt`."""
    if analysis.document.has_errors or not analysis.document.blocks:
        return []
    new = format_document(analysis.document)
    is_windows = analysis.text.partition("\n")[0].endswith("\r")
    return edits(analysis, new.replace("\n", "\r\n") if is_windows else new)


def edits(analysis: Analysis, new: str) -> list[types.TextEdit]:
    """The edits of whole lines that turn the text into another one, in order of place."""
    return [types.TextEdit(analysis.positions.range(span), text) for span, text in changes(analysis.text, new)]


def changes(old: str, new: str) -> Iterator[tuple[Span, str]]:
    """The places of a text whose lines change, and what comes there."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    offset = sum(map(len, before[:start]))
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    if not before and not after:
        return
    if len(before) + len(after) > MAX_COMPARED:
        yield Span(offset, offset + sum(map(len, before))), "".join(after)
        return
    offsets = [offset]
    for line in before:
        offsets.append(offsets[-1] + len(line))
    for tag, low, high, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Span(offsets[low], offsets[high]), "".join(after[first:last])
