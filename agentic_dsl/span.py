"""Where something stands in a source text: offsets inside, lines and columns outside."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class Position(NamedTuple):
    """A place a person can find: 1-based line and 1-based column, in code points."""

    line: int
    column: int


_LINE_END = re.compile(r"\r\n?|\n")


class Span(NamedTuple):
    """A half-open range ``[start, end)`` of code point offsets into one `Source`."""

    start: int
    end: int

    def shift(self, offset: int) -> Span:
        """The same range, ``offset`` code points further on."""
        return Span(self.start + offset, self.end + offset)


MAX_BYTES = 8 << 20
"""The longest document that is read, in bytes of UTF-8."""

NOWHERE = Span(0, 0)
"""The span of what was built by a program instead of read from a text."""


@dataclass(frozen=True)
class Source:
    r"""One text and the name people know it by (a file's path, ``-``, or None for a string).

    A line ends at ``\n``, ``\r\n`` or ``\r``, as editors count them.
    """

    text: str
    path: str | None = None

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> Position:
        """The line and column of an offset; offsets outside the text are clamped."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its line end."""
        starts = self._line_starts
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")


SpanPath = tuple[str | int, ...]
"""Keys and indexes that lead to a value inside a node or block, such as ``("arguments", "query")``."""


@dataclass(frozen=True, slots=True)
class SpanTable:
    """Where the keys and values of one node or block stand, by canonical path.

    Canonical: a node written with an accepted spelling (``branches:`` on the node) is found under the
    canonical path (``("fork", "branches")``). Owned by the node, never compared.
    """

    values: dict[SpanPath, Span] = field(default_factory=dict)
    keys: dict[SpanPath, Span] = field(default_factory=dict)

    def value(self, path: SpanPath) -> Span | None:
        """The span of the value at ``path``, else of its nearest ancestor."""
        while path:
            if (span := self.values.get(path)) is not None:
                return span
            path = path[:-1]
        return None

    def key(self, path: SpanPath) -> Span | None:
        """The span of the key at ``path``, else of the value there."""
        return self.keys.get(path) or self.value(path)
