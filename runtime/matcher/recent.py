"""Rows of one text that its next tokens need again."""

from __future__ import annotations

from collections.abc import Callable

from agentic_dsl.runtime.matcher.frames import Frame
from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.vocabulary_trie import Row

_RECENT = 8
"""Rows kept for one text."""


class Recent:
    """Rows of one text that its next tokens need again: what ends a word does so after each of its characters.

    Keys hold the objects that identify them, and compare these by identity.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[int, ...], tuple[tuple[object, ...], Row]] = {}
        self._frames: dict[tuple[int, int], tuple[object, object, Frame]] = {}

    def after(self, frame: OpenWord) -> Frame:
        """What follows a new word."""
        key = id(frame.then), id(frame.doc)
        if (found := self._frames.get(key)) is None:
            if len(self._frames) >= _RECENT:
                self._frames.clear()
            found = self._frames[key] = (frame.then, frame.doc, frame.then(frame.doc, frame.new_word()))
        return found[2]

    def row(self, *key: object, make: Callable[[], Row]) -> Row:
        """The row for some objects, made if it is not there."""
        numbers = tuple(map(id, key))
        if (found := self._rows.get(numbers)) is None:
            if len(self._rows) >= _RECENT:
                self._rows.clear()
            found = self._rows[numbers] = (key, make())
        return found[1]
