"""The outline of a body that may be half written: where keys and values stand, as far as the layout tells.

The parser gives up on a body that is no YAML, and while somebody types it mostly is none. This reader never gives up:
it goes by indentation, dashes, colons and brackets, and what makes no sense to it is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from agentic_dsl.cli.language_server.flow_outline import MAX_SLOTS, FlowReader
from agentic_dsl.span import Span, SpanPath

MAX_DEPTH = 100
"""Levels that are followed; the parser refuses deeper ones."""

_LINE = re.compile(r"(?P<indent> *)(?P<rest>[^\r\n]*)(?:\r\n?|\n|\Z)")
_DASH = re.compile(r"-(?:[ \t]+|$)")
_KEY = re.compile(r"""(?P<key>"(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"'\[\]{},:-][^\s#:,\[\]{}]*)[ \t]*:(?=[ \t]|$)[ \t]*""")
_BLOCK_SCALAR = re.compile(r"[|>][-+0-9]*[ \t]*(?:#.*)?$")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")


class Slot(NamedTuple):
    """A place where a key or a value stands, or could.

    Attributes:
        path: of the value; of the mapping, where this is a key of it.
        is_key: whether a key stands here.
        region: everything between what stands before and after.
        token: what is written there, with its quotes; empty where nothing is.
        text: the same without quotes.
    """

    path: SpanPath
    is_key: bool
    region: Span
    token: Span
    text: str


@dataclass(frozen=True)
class Outline:
    """The slots of one body, in no order."""

    slots: tuple[Slot, ...]

    def at(self, offset: int) -> Slot | None:
        """The innermost slot that holds an offset, None where none does."""
        holding = [slot for slot in self.slots if slot.region.start <= offset <= slot.region.end]
        return min(holding, key=lambda slot: (slot.region.end - slot.region.start, not slot.is_key), default=None)

    def keys(self, path: SpanPath) -> tuple[str, ...]:
        """The keys that are written in a mapping."""
        return tuple(slot.text for slot in self.slots if slot.is_key and slot.path == path)

    def text(self, path: SpanPath) -> str | None:
        """The text of a value, None where there is none."""
        return next((slot.text for slot in self.slots if not slot.is_key and slot.path == path and slot.text), None)


class _Level(NamedTuple):
    """A block collection: the column of its items, its path, and for a list how many items there are."""

    column: int
    path: SpanPath
    items: int | None


def read_outline(text: str, body: Span, cursor: int) -> Outline:
    """Reads the outline of a body.

    Args:
        text: the document.
        body: the YAML in it.
        cursor: an offset; where its line says nothing yet, a slot for the key that may be meant is made.
    """
    reader = _Reader(text, body.end, cursor)
    at = body.start
    while at < body.end and len(reader.slots) < MAX_SLOTS:
        at = reader.line(at)
    return Outline(tuple(reader.slots))


class _Reader:
    """Reads line by line; used once."""

    def __init__(self, text: str, end: int, cursor: int) -> None:
        self.text = text
        self.end = end
        self.cursor = cursor
        self.slots: list[Slot] = []
        self.levels: list[_Level] = [_Level(0, (), None)]
        self.pending: SpanPath | None = None
        """The path of a key or dash with nothing behind it: what is indented further stands there."""

    def line(self, start: int) -> int:
        """Reads the line at an offset, with everything that goes on below it, and gives where the next one begins."""
        match = _LINE.match(self.text, start, self.end)
        if match is None:
            return self.end
        rest = match["rest"]
        begin = match.start("rest")
        if not rest.strip() or rest.startswith("#"):
            if start <= self.cursor <= match.end("rest") and not rest.strip():
                self._key_slot(self.cursor - start, Span(self.cursor, self.cursor))
            return max(match.end(), start + 1)
        finish = self._content(begin, begin - start, match.end("rest"))
        if finish <= match.end("rest"):
            return max(match.end(), start + 1)
        following = _LINE.match(self.text, finish, self.end)  # the rest of the line where a long value ends
        return max(following.end(), finish + 1) if following else self.end

    def _content(self, at: int, column: int, stop: int) -> int:
        """Reads what stands at a column of a line that ends at ``stop``; gives where it ends."""
        start = at - column
        while len(self.levels) < MAX_DEPTH and (dash := _DASH.match(self.text, at, stop)):
            self._item(at - start)
            at = dash.end()
            if at >= stop:
                self._key_slot(at - start, Span(at, at))
                return stop
        column = at - start
        key = _KEY.match(self.text, at, stop)
        if key is None:
            return self._scalar(at, column, stop)
        level = self._mapping(column)
        span = Span(*key.span("key"))
        name = key["key"].strip("\"'")
        self.slots.append(Slot(level.path, True, span, span, name))
        return self._value((*level.path, name), key.end(), level.column, stop)

    def _item(self, column: int) -> None:
        """Begins an item of a list."""
        self._leave(column)
        level = self.levels[-1]
        if level.items is not None and level.column == column:
            self.levels[-1] = level._replace(items=level.items + 1)
        else:
            self.levels.append(_Level(column, self._inner(level), 0))
        listed = self.levels[-1]
        self.pending = (*listed.path, listed.items or 0)

    def _mapping(self, column: int) -> _Level:
        """The mapping that a key at a column belongs to."""
        self._leave(column)
        level = self.levels[-1]
        if level.column == column and level.items is not None:
            self.levels.pop()  # a list may stand at the column of its key
            level = self.levels[-1]
        if level.column != column:
            level = _Level(column, self._inner(level), None)
            self.levels.append(level)
        self.pending = None
        return level

    def _inner(self, level: _Level) -> SpanPath:
        path, self.pending = self.pending, None
        return level.path if path is None else path

    def _leave(self, column: int) -> None:
        while len(self.levels) > 1 and self.levels[-1].column > column:
            self.levels.pop()
            self.pending = None

    def _value(self, path: SpanPath, at: int, column: int, stop: int) -> int:
        """Reads the value behind a key; one that goes on is indented further than ``column``."""
        if at >= stop or self.text[at] == "#":
            self.slots.append(Slot(path, False, Span(at, stop), Span(at, at), ""))
            self.pending = path
            return stop
        if _BLOCK_SCALAR.match(self.text, at, stop):
            end = self._indented_to(stop, column)
            self.slots.append(Slot(path, False, Span(at, end), Span(at, end), self.text[at:end]))
            return end
        if self.text[at] in "[{\"'":
            flow = FlowReader(self.text, self.end, column)
            end = flow.read(at, path)
            self.slots += (Slot(*found) for found in flow.found)
            return end
        comment = _COMMENT.search(self.text, at, stop)
        end = comment.start() if comment else stop
        written = self.text[at:end].rstrip()
        self.slots.append(Slot(path, False, Span(at, end), Span(at, at + len(written)), written))
        return stop

    def _scalar(self, at: int, column: int, stop: int) -> int:
        """Reads an item of a list that is a value, or a word that may become a key."""
        pending = self.pending
        if pending is not None and isinstance(pending[-1], int):
            self.pending = None
            inner = self.levels[-1].column
            word = Span(at, stop)
            if re.fullmatch(r"\w+", self.text[at:stop]):  # it may as well become the first key of the item
                self.slots.append(Slot(pending, True, word, word, self.text[at:stop]))
            return self._value(pending, at, inner, stop)
        if self.text[at] in "[{\"'" and (pending is not None or not self.slots):
            self.pending = None
            return self._value(pending or (), at, -1 if pending is None else self.levels[-1].column, stop)
        if at <= self.cursor <= stop:
            self._key_slot(column, Span(at, stop))
        return stop

    def _key_slot(self, column: int, span: Span) -> None:
        """A slot for the key that somebody begins to write at a column, in the mapping that it would belong to."""
        path: SpanPath
        if self.pending is not None and column > self.levels[-1].column:
            path = self.pending
        else:
            fitting = [level for level in self.levels if level.column <= column and level.items is None]
            path = fitting[-1].path if fitting else ()
        self.slots.append(Slot(path, True, span, span, self.text[span.start : span.end].strip()))

    def _indented_to(self, at: int, column: int) -> int:
        """Where the lines end that are blank or indented further than a column."""
        end = at
        while (newline := _LINE.match(self.text, at, self.end)) and newline.end() < self.end:
            following = _LINE.match(self.text, newline.end(), self.end)
            if following is None:
                break
            if following["rest"].strip():
                if len(following["indent"]) <= column:
                    break
                end = following.end("rest")
            at = following.end("rest")
        return end
