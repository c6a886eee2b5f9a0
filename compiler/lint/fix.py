"""Fixes: changes of a text as data. Whatever they do not name stays as it is, byte for byte."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass

from agentic_dsl.span import Span


@dataclass(frozen=True, slots=True)
class Edit:
    """Puts ``text`` in the place of a part of a document."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What removes one finding.

    Attributes:
        message: what is done, in one imperative sentence.
        edits: in order of place, none overlapping another.
        safe: whether the document means the same afterwards, but for what the rule says.
    """

    message: str
    edits: tuple[Edit, ...]
    safe: bool = True


def apply_fixes(text: str, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with fixes applied, and how many were: one that meets an earlier one waits for the next time."""
    taken: list[tuple[int, int, str]] = []
    applied = 0
    for fix in sorted(fixes, key=lambda fix: (fix.edits[0].span.start, fix.edits[-1].span.end)):
        if fix.edits and not any(_meets(edit.span, taken) for edit in fix.edits):
            for edit in fix.edits:
                insort(taken, (edit.span.start, edit.span.end, edit.text))
            applied += 1
    parts: list[str] = []
    at = 0
    for start, end, replacement in taken:
        parts += (text[at:start], replacement)
        at = end
    return "".join((*parts, text[at:])), applied


def _meets(span: Span, taken: list[tuple[int, int, str]]) -> bool:
    """Whether a place shares characters, or its start, with one of the places taken, which are sorted and disjoint."""
    at = bisect_left(taken, (span.start,))
    if at and taken[at - 1][1] > span.start:
        return True
    return at < len(taken) and (taken[at][0] == span.start or taken[at][0] < span.end)
