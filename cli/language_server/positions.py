"""Offsets of ours ⇄ positions of editors: lines from 0, columns in the code units that were agreed on."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from lsprotocol import types

from agentic_dsl.span import Span

_LINE_END = re.compile(r"\r\n?|\n")

Encoding = types.PositionEncodingKind
"""What a column counts: bytes of UTF-8, code units of UTF-16 (the default of the protocol), or code points."""

_UNIT = {Encoding.Utf8: ("utf-8", 1), Encoding.Utf16: ("utf-16-le", 2)}
"""Encoding → its codec and the bytes of one unit; code points need none."""


@dataclass(frozen=True)
class Positions:
    """The lines of one text. A line ends as in `agentic_dsl.span.Source`, which is also what the protocol says."""

    text: str
    encoding: Encoding = Encoding.Utf16

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> types.Position:
        """The position of an offset; offsets outside the text are clamped."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset) - 1
        return types.Position(line, self._units(self.text[self._starts[line] : offset]))

    def range(self, span: Span) -> types.Range:
        """The range of a span."""
        return types.Range(self.position(span.start), self.position(span.end))

    def offset(self, position: types.Position) -> int:
        """The offset of a position; what lies behind a line is its end, what lies in a character is its start."""
        if position.line >= len(self._starts):
            return len(self.text)
        line = self.line(max(position.line, 0))
        found = self.text[line.start : line.end]
        if self.encoding not in _UNIT or found.isascii():
            return line.start + min(max(position.character, 0), len(found))
        left = max(position.character, 0)
        for count, character in enumerate(found):
            left -= self._units(character)
            if left < 0:
                return line.start + count
        return line.end

    def span(self, range: types.Range) -> Span:
        """The span of a range."""
        start = self.offset(range.start)
        return Span(start, max(start, self.offset(range.end)))

    def line(self, number: int) -> Span:
        """A line counted from 0, without its line end."""
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        return Span(start, start + len(self.text[start:end].rstrip("\r\n")))

    def line_at(self, offset: int) -> Span:
        """The line that holds an offset, without its line end."""
        return self.line(bisect_right(self._starts, min(max(offset, 0), len(self.text))) - 1)

    def _units(self, text: str) -> int:
        if self.encoding not in _UNIT or text.isascii():
            return len(text)
        codec, size = _UNIT[self.encoding]
        return len(text.encode(codec, "surrogatepass")) // size
