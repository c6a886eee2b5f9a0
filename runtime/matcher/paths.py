"""``namespace_prefix``: a path below ``/dynamic`` that does not lead back to the block that is being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agentic_dsl.runtime.matcher.frames import Done, Fixed, Frame, Then
from agentic_dsl.runtime.matcher.open_words import Alphabet

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

DYNAMIC = "/dynamic"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_FIRST = frozenset(_LETTERS + _LETTERS.upper())
_REST = _FIRST | {"_", "-"}

SEGMENT = Alphabet("".join(sorted(_FIRST)), "".join(sorted(_REST)))
"""The characters of a segment."""


class DynamicPath(Frame):
    """The path behind ``/dynamic``."""

    __slots__ = ("then", "typed")

    def __init__(self, doc: Draft, then: Then, typed: str = DYNAMIC) -> None:
        super().__init__(doc)
        self.then, self.typed = then, typed

    @classmethod
    def begin(cls, doc: Draft, then: Then) -> Frame:
        """The whole path, after its opening quote."""
        return Fixed(doc, DYNAMIC.encode(), lambda doc: cls(doc, then))

    @classmethod
    def fits(cls, doc: Draft) -> bool:
        """Whether any path is short enough."""
        return cls(doc, Done)._end() is not None

    def step(self, byte: int) -> Frame | None:
        """One more character, or the closing quote."""
        char, last = chr(byte), self.typed[-1]
        if char == '"':
            return self._closed(self.typed) if self._is_whole(self.typed) else None
        if self.typed == DYNAMIC or char == "/":
            if char != "/" or last == "/":
                return None
        elif char not in (_FIRST if last == "/" else _REST):
            return None
        after = DynamicPath(self.doc, self.then, self.typed + char)
        return after if after._end() is not None else None

    def _is_whole(self, typed: str) -> bool:
        """Whether the path may end so: what is generated below a block's own path, or above it, would replace it."""
        block = self.doc.block
        leads_back = f"{block.path}/".startswith(f"{typed}/") or typed in block.circular
        return len(typed) > len(DYNAMIC) and typed[-1] != "/" and not leads_back

    def longer(self, text: str) -> DynamicPath:
        """The path with more characters, whether it can still be finished or not."""
        return DynamicPath(self.doc, self.then, self.typed + text)

    def leading_back(self) -> list[str]:
        """What would make a path that may not end so of this one, within its segment."""
        block = self.doc.block
        paths = {block.path, *block.circular}
        paths |= {path[:at] for path in paths for at in range(len(path)) if path[at] == "/"}
        rests = {path[len(self.typed) :] for path in paths if path.startswith(self.typed)}
        return sorted(rest for rest in rests if rest and "/" not in rest)

    def some_segment(self, size: int) -> str:
        """So many characters that make no path of those that lead back."""
        others = self.leading_back()
        return next(text for letter in _LETTERS if (text := letter * size) not in others)

    def _closed(self, typed: str) -> Frame:
        return self.then(self.doc.generating(typed))

    def _end(self) -> str | None:
        """The shortest end of the path, None where none fits."""
        ends = ["", *_LETTERS, *(f"/{letter}" for letter in _LETTERS)]
        most: int = self.doc.plan.max_text
        for end in ends:
            if end and (self.typed == DYNAMIC) != (len(end) == 2):
                continue
            if end and self.typed[-1] == "/" and len(end) == 2:
                continue
            whole = self.typed + end
            if len(whole) <= most and self._is_whole(whole):
                return str(end)
        return None

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        end = self._end()
        # What comes after it does not depend on the path: the policy generates nothing.
        return f'{end}"'.encode(), (id(self.then), id(self.doc)), lambda: self._closed(f"{self.typed}{end}")

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the path."""
        end = self._end()
        return f'{end}"'.encode(), self._closed(f"{self.typed}{end}")
