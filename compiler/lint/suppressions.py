"""Suppressions: comments in the Markdown of a document that leave findings out.

``<!-- adl: ignore ADL203 -->`` stands before the block that it is about, ``<!-- adl: ignore-file ADL203 -->`` anywhere
outside of blocks. Codes, prefixes and names may follow, with blanks or commas between them, and a reason after ``--``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl import codes
from agentic_dsl.compiler.lint.selection import selector
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

if TYPE_CHECKING:
    from agentic_dsl.ast import Document

_COMMENT = re.compile(r"<!--[ \t]*adl[ \t]*:[ \t]*(?P<body>[^\n]*?)[ \t]*(?:-->|(?P<open>$))", re.MULTILINE)
_WORD = re.compile(r"[^\s,]+")

BLOCK, FILE = "ignore", "ignore-file"
"""The words after ``adl:``."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One code or prefix in one comment.

    Attributes:
        prefix: of the codes that are left out.
        word: where it is written.
        comment: the whole comment.
        alone: whether it is the only one in its comment.
        covers: the text in which findings are left out.
    """

    prefix: str
    word: Span
    comment: Span
    alone: bool
    covers: Span


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppressions of one document, and what is wrong with comments that want to be some."""

    found: tuple[Suppression, ...] = ()
    broken: tuple[Diagnostic, ...] = ()


def find_suppressions(document: Document) -> Suppressions:
    """Reads the comments outside of blocks."""
    text = document.source.text
    if "<!--" not in text or "adl" not in text:
        return Suppressions()
    blocks = [block.span for block in document.blocks]
    starts = [span.start for span in blocks]
    found: list[Suppression] = []
    broken: list[Diagnostic] = []
    for match in _COMMENT.finditer(text):
        following = bisect_right(starts, match.start())
        if following and match.start() < blocks[following - 1].end:
            continue  # inside of a block
        next_block = blocks[following] if following < len(blocks) else None
        for result in _read(match, next_block, len(text)):
            if isinstance(result, Suppression):
                found.append(result)
            else:
                broken.append(result)
    return Suppressions(tuple(found), tuple(broken))


def _read(match: re.Match[str], next_block: Span | None, length: int) -> Iterator[Suppression | Diagnostic]:
    comment = Span(*match.span())
    if match["open"] is not None:
        yield _broken(comment, "the comment is not closed on its line", "end it with -->")
        return
    shift = match.start("body")
    words = [(word[0], Span(*word.span()).shift(shift)) for word in _WORD.finditer(match["body"].split(" --")[0])]
    if not words or words[0][0] not in (BLOCK, FILE):
        said = f'"{words[0][0]}" is no instruction' if words else "the comment says nothing"
        yield _broken(comment, said, f"write <!-- adl: {BLOCK} CODE --> or <!-- adl: {FILE} CODE -->")
        return
    if len(words) == 1:
        yield _broken(comment, "the comment names no code", "name what is to be left out, such as ADL203")
        return
    covers = Span(0, length) if words[0][0] == FILE else next_block
    if covers is None:
        yield _broken(comment, "no block follows the comment", f"put it before a block, or write {FILE}")
        return
    for word, span in words[1:]:
        prefix = selector(word)
        if prefix is None:
            yield _broken(span, f'"{word}" names no rule', "write a code such as ADL203")
        else:
            yield Suppression(prefix, span, comment, len(words) == 2, covers)


def _broken(span: Span, message: str, help: str) -> Diagnostic:
    return codes.BROKEN_SUPPRESSION.at(span, message, help=help)
