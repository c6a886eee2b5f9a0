"""From an offset in a YAML scalar's text back to the source, and from the source to the text."""

from __future__ import annotations

import re

from agentic_dsl.compiler.parse.character_map import CharacterMap, character_map
from agentic_dsl.span import Source, Span

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*+(?:\s++|#[^\r\n]*+)++)+")
"""An anchor or tag before the scalar, which some readers count to it."""
_STRUCTURE = re.compile(r"(?:[-?:][ \t]+)*+")


def span_in_scalar(source: Source, scalar: Span, inner: Span) -> Span:
    """Where a part of a scalar's text stands in the document.

    Args:
        source: the document.
        scalar: the scalar as written: with its quotes, or from its ``|`` or ``>`` on.
        inner: offsets into the scalar's text, as YAML gives it.

    Returns:
        The range from the first to the last character of the part; for an empty part, the empty range where it
        stands. Offsets outside of the text are clamped.
    """
    raw, start = _without_properties(source, scalar)
    if _stands_for_itself(raw):
        length, first = (len(raw), start) if _is_plain(raw) else (len(raw) - 2, start + 1)
        return Span(first + _clamped(inner.start, length), first + _clamped(inner.end, length))
    characters = _characters(source, raw, start)
    length = len(characters.text)
    begin, end = _clamped(inner.start, length), _clamped(inner.end, length)
    first = characters.starts[begin] if begin < length else characters.end
    last = characters.ends[end - 1] if end > begin else first
    return Span(start + first, start + last)


def text_of_scalar(source: Source, scalar: Span) -> str:
    """The text of a scalar as YAML gives it; the offsets that `span_in_scalar` takes are offsets into it."""
    raw, start = _without_properties(source, scalar)
    if _stands_for_itself(raw):
        return raw if _is_plain(raw) else raw[1:-1]
    return _characters(source, raw, start).text


def _without_properties(source: Source, scalar: Span) -> tuple[str, int]:
    """The scalar as written behind its anchor and tag, and where that begins."""
    raw = source.text[scalar.start : scalar.end]
    skipped = match.end() if (match := _PROPERTIES.match(raw)) else 0
    return raw[skipped:], scalar.start + skipped


def _is_plain(raw: str) -> bool:
    return raw[:1] not in ('"', "'", "|", ">")


def _stands_for_itself(raw: str) -> bool:
    """Whether every character of a scalar is one of its text, quotes aside: most scalars."""
    return "\n" not in raw and "\r" not in raw and "\\" not in raw and "''" not in raw[1:-1]


def _characters(source: Source, raw: str, start: int) -> CharacterMap:
    return character_map(raw, _parent_indent(source.text, start) if raw[:1] in ("|", ">") else 0)


def _clamped(offset: int, length: int) -> int:
    return min(max(offset, 0), max(length, 0))


def _parent_indent(text: str, start: int) -> int:
    """The column of the collection that holds the block scalar beginning at ``start``: of its key, or its dash."""
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    before = text[line:start]
    spaces = len(before) - len(before.lstrip(" "))
    structure = _STRUCTURE.match(before, spaces)
    behind = structure.end() if structure else spaces
    if before[behind:].strip():
        return behind  # a key stands before the scalar
    dashes = before[spaces:behind].rstrip()
    return spaces + max(len(dashes) - 1, 0)
