"""YAML comments: found in the gaps between scalars, and kept with the key that follows.

libyaml drops comments, but it says where every scalar stands, and a ``#`` after white space outside of all scalars
begins a comment.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from agentic_dsl.compiler.parse.yaml_tree import YamlComment, YamlScalar
from agentic_dsl.span import SpanPath, SpanTable

_COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")
_LINE_END = re.compile(r"[\r\n]")

_BLOCK = 0
"""The block's place among the owners."""

CommentTable = dict[SpanPath, tuple[str, ...]]
"""Comments of a node or block, by the path of the key that follows them."""


def find_comments(text: str, shift: int, scalars: Sequence[YamlScalar]) -> list[YamlComment]:
    """The comments of a YAML body in source order.

    Args:
        text: the body.
        shift: offset of the body in the document.
        scalars: every scalar of the body in source order; their places are offsets into the document.
    """
    comments: list[YamlComment] = []
    at = 0
    for scalar in scalars:
        start, end = scalar.start - shift, scalar.end - shift
        if at < start:
            _find_between(text, shift, at, start, comments)
        if scalar.style in ("|", ">"):
            # The line of the indicator may end in a comment; the text begins on the next one.
            line_end = _LINE_END.search(text, start)
            _find_between(text, shift, start, line_end.start() if line_end else len(text), comments)
        at = max(at, end)
    _find_between(text, shift, at, len(text), comments)
    return comments


def _find_between(text: str, shift: int, start: int, end: int, comments: list[YamlComment]) -> None:
    at = text.find("#", start, end)
    while 0 <= at < end:
        found = _COMMENT.match(text, at, end)
        if found is None:
            at = text.find("#", at + 1, end)
            continue
        line_start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
        is_trailing = bool(text[line_start:at].strip())
        comments.append(YamlComment(comment_text(found[0]), at + shift, is_trailing))
        at = text.find("#", found.end(), end)


def comment_text(line: str) -> str:
    """A comment without ``#``, the space after it, and white space at its end."""
    return line.removeprefix("#").removeprefix(" ").rstrip()


def attach(comments: Iterable[YamlComment], owners: Sequence[tuple[SpanTable, CommentTable]]) -> None:
    """Puts each comment into the table of the block or node whose key follows it.

    A comment at the end of a line stays within the node or block of that line: under its next key, else under ``()``.
    A comment on a line of its own goes to the next key wherever that is; after the last key it belongs to the block.

    Args:
        comments: any order.
        owners: the block first, then its nodes; their comment tables are filled.
    """
    keys = sorted(
        ((span.start, owner, path) for owner, (spans, _) in enumerate(owners) for path, span in spans.keys.items()),
        key=lambda key: key[:2],
    )
    starts = [start for start, _, _ in keys]
    for comment in sorted(comments, key=lambda comment: comment.start):
        following = bisect_right(starts, comment.start)
        owner, path = keys[following][1:] if following < len(keys) else (_BLOCK, ())
        before = keys[following - 1][1] if following else _BLOCK
        if comment.trailing and before not in (owner, _BLOCK):
            owner, path = before, ()
        table = owners[owner][1]
        table[path] = (*table.get(path, ()), comment.text)
