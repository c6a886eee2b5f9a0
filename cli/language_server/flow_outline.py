"""The outline of one value in brackets or quotes, which may be half written: see `outline`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentic_dsl.span import Span, SpanPath

MAX_NESTING = 100
"""Brackets inside brackets that are followed; the parser refuses deeper ones."""

MAX_SLOTS = 300_000
"""Keys and values that are followed; the largest document that is checked has about half as many."""

_BLANK = " \t\r\n"
_LINE_ENDS = "\r\n"
_NEXT_LINE = re.compile(r"(?:\r\n?|\n)(?:[ \t]*(?:\r\n?|\n))*(?P<indent>[ \t]*)(?P<first>[^\r\n]?)")

Found = tuple[SpanPath, bool, Span, Span, str]
"""The attributes of a slot."""


@dataclass(slots=True)
class _Frame:
    """A bracket that is open.

    Attributes:
        count: items of a list before this one.
        key: of the value that is being read in a mapping; None where a key comes.
    """

    path: SpanPath
    is_list: bool
    count: int = 0
    key: str | None = None

    @property
    def inner(self) -> SpanPath:
        """The path of what is being read."""
        if self.is_list:
            return (*self.path, self.count)
        return self.path if self.key is None else (*self.path, self.key)


class FlowReader:
    """Reads one value; used once.

    Attributes:
        found: the slots in it.
    """

    def __init__(self, text: str, end: int, column: int) -> None:
        self.found: list[Found] = []
        self._text = text
        self._end = end
        self._column = column
        """A line that is indented no further belongs to something else, whatever is still open."""
        self._frames: list[_Frame] = []
        self._begin = 0
        """Where the place of the next key or value begins."""
        self._is_blank = True
        """Whether nothing is written there yet."""
        self._is_read = False
        """Whether the value at this place was a collection, so that no slot is left."""

    def read(self, at: int, path: SpanPath) -> int:
        """Reads the value at an offset and gives where it ends."""
        if self._text[at] in "\"'":
            end = self._quoted(at)
            span = Span(at, end)
            self.found.append((path, False, span, span, unquoted(self._text[at:end])))
            return end
        self._go_on(at)
        while at < self._end and len(self.found) < MAX_SLOTS:
            character = self._text[at]
            if character in _LINE_ENDS:
                following = self._next_line(at)
                if following is None:
                    break
                at = following
                continue
            following = self._step(at, character, path)
            if not self._frames:
                return following
            at = following
        self._slot(at)
        return at

    def _step(self, at: int, character: str, path: SpanPath) -> int:
        """Reads one mark and gives the offset behind it."""
        frame = self._frames[-1] if self._frames else None
        is_first, self._is_blank = self._is_blank, self._is_blank and character in _BLANK
        if character in "[{" and is_first and not self._is_read and len(self._frames) < MAX_NESTING:
            self._frames.append(_Frame(path if frame is None else frame.inner, character == "["))
            self._go_on(at + 1)
        elif character in "]}":
            self._slot(at)
            self._frames.pop()
            self._go_on(at + 1)
            self._is_read = True
        elif character in "\"'" and is_first:
            return self._quoted(at)
        elif character == "#" and self._text[at - 1] in _BLANK:
            end = self._line_end(at)
            if is_first:
                self._begin, self._is_blank = end, True
            return end
        elif frame is not None and character == ",":
            self._slot(at)
            frame.count, frame.key = frame.count + 1, None
            self._go_on(at + 1)
        elif frame is not None and character == ":" and self._ends_key(frame, at):
            self._slot(at)
            frame.key = unquoted(self._text[self._begin : at].strip(_BLANK))
            self._go_on(at + 1)
        return at + 1

    def _ends_key(self, frame: _Frame, at: int) -> bool:
        if frame.is_list or frame.key is not None:
            return False
        return self._text[at - 1] in "\"'" or self._text[at + 1 : at + 2] in (" ", "\t", "\r", "\n", ",", "}", "")

    def _go_on(self, at: int) -> None:
        self._begin, self._is_blank, self._is_read = at, True, False

    def _slot(self, end: int) -> None:
        """Notes what stands between the last mark and this one."""
        if self._is_read or not self._frames:
            return
        frame = self._frames[-1]
        written = self._text[self._begin : end]
        start = self._begin + len(written) - len(written.lstrip(_BLANK))
        token = written.strip(_BLANK)
        is_key = not frame.is_list and frame.key is None
        span = Span(start, start + len(token)) if token else Span(end, end)
        self.found.append((frame.inner, is_key, Span(self._begin, end), span, unquoted(token)))

    def _quoted(self, at: int) -> int:
        """Where a text in quotes ends, or would if it were closed."""
        quote = self._text[at]
        at += 1
        while at < self._end:
            character = self._text[at]
            if character == quote:
                if quote == '"' or self._text[at + 1 : at + 2] != quote:
                    return at + 1
                at += 1  # two single quotes stand for one
            if character in _LINE_ENDS:
                following = self._next_line(at)
                if following is None:
                    return at
                at = following
            else:
                at += 2 if character == "\\" and quote == '"' else 1
        return self._end

    def _next_line(self, at: int) -> int | None:
        """Where the next line with something on it goes on; None where that belongs to something else."""
        following = _NEXT_LINE.match(self._text, at, self._end)
        if following is None or not following["first"]:
            return None
        if len(following["indent"]) <= self._column and following["first"] not in "]},":
            return None
        return following.start("first")

    def _line_end(self, at: int) -> int:
        while at < self._end and self._text[at] not in _LINE_ENDS:
            at += 1
        return at


def unquoted(token: str) -> str:
    """A text without its quotes; the closing one may be missing."""
    if token[:1] not in ("'", '"'):
        return token
    return token[1:-1] if len(token) > 1 and token[-1] == token[0] else token[1:]
