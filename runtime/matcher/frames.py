"""Frames: what may come next, as immutable values.

A frame is the whole state of the tracker at one byte. `Frame.step` gives the frame after one more byte, None where
the byte is not allowed; `Frame.policy` says what the completion policy writes from here on. Every frame keeps the
promise on which the absence of dead ends rests: its policy is finite, allowed, and *prefix-consistent* (after any
prefix of what it writes, it would write the rest). Frames never change, so a snapshot is a reference.

A *continuation* maps the document so far to the frame that follows; it is called when its frame is reached.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

Then = Callable[["Draft"], "Frame"]
"""A continuation."""

Option = tuple[bytes, Then]
"""A text that may come next, and what follows it."""


class Frame:
    """What may come next, with the document so far."""

    __slots__ = ("doc",)
    is_final = False
    """Whether the text may end here."""

    def __init__(self, doc: Draft) -> None:
        self.doc = doc

    def step(self, byte: int) -> Frame | None:
        """The frame after one more byte, None where it is not allowed."""
        raise NotImplementedError

    def policy(self) -> tuple[bytes, Frame]:
        """What the completion policy writes up to some next frame, and that frame."""
        raise NotImplementedError

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]] | None:
        """`policy` in two steps, for frames of which thousands are compared: its text, and what makes the next frame.

        The second item says which frame that is: equal (identical) ones have the same completion.
        """
        return None

    def repeats(self, other: Frame, longest: int) -> bool:  # noqa: ARG002  # most frames do not
        """Whether the same tokens, of at most ``longest`` bytes, may come next as at another frame."""
        return False

    def hints(self) -> frozenset[int] | None:
        """Bytes among which are all that may come next; None where that is not worth knowing."""
        return None

    def ahead(self) -> bytes:
        """A text that must come next, as far as that is known without asking what follows."""
        return b""

    def forced(self) -> tuple[bytes, Frame] | None:
        """A text that must come next, perhaps empty, and the frame after it; None where nothing surely must."""
        text = self.ahead()
        if not text:
            return None
        after = feed(self, text)
        assert after is not None  # it must come
        return text, after

    def allowed(self) -> bytes:
        """Every byte that may come next, in order."""
        return bytes(byte for byte in range(256) if self.step(byte) is not None)


class Done(Frame):
    """The end of the text."""

    __slots__ = ()
    is_final = True

    def step(self, byte: int) -> Frame | None:  # noqa: ARG002  # nothing may follow
        """Nothing may follow."""
        return None

    def policy(self) -> tuple[bytes, Frame]:
        """There is nothing left to write."""
        return b"", self


class Fixed(Frame):
    """A text that must come, from some byte of it on."""

    __slots__ = ("at", "text", "then")

    def __init__(self, doc: Draft, text: bytes, then: Then, at: int = 0) -> None:
        super().__init__(doc)
        self.text, self.then, self.at = text, then, at

    def step(self, byte: int) -> Frame | None:
        """The next byte of the text only."""
        text, at = self.text, self.at
        if text[at] != byte:
            return None
        return self.then(self.doc) if at + 1 == len(text) else Fixed(self.doc, text, self.then, at + 1)

    def hints(self) -> frozenset[int]:
        """The next byte of the text."""
        return frozenset((self.text[self.at],))

    def ahead(self) -> bytes:
        """The rest of the text."""
        return self.text[self.at :]

    def forced(self) -> tuple[bytes, Frame]:
        """The rest of the text."""
        return self.policy()

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the text."""
        return self.text[self.at :], self.then(self.doc)

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        return self.text[self.at :], (id(self.then), id(self.doc)), lambda: self.then(self.doc)


class Run(Frame):
    """A text that must come, with the frame that follows it at hand: what `settle` makes of a chain of frames."""

    __slots__ = ("after", "at", "text")

    def __init__(self, doc: Draft, text: bytes, after: Frame, at: int = 0) -> None:
        """``doc`` is the document where the text begins; what it declares is in that of ``after``."""
        super().__init__(doc)
        self.text, self.after, self.at = text, after, at

    def step(self, byte: int) -> Frame | None:
        """The next byte of the text only."""
        return self.moved(self.at + 1) if self.text[self.at] == byte else None

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The rest of the text, and what follows it."""
        return self.text[self.at :], id(self.after), lambda: self.after

    def moved(self, at: int) -> Frame:
        """The frame at another byte of the text, or the one behind it."""
        return self.after if at == len(self.text) else Run(self.doc, self.text, self.after, at)

    def hints(self) -> frozenset[int]:
        """The next byte of the text."""
        return frozenset((self.text[self.at],))

    def ahead(self) -> bytes:
        """The rest of the text."""
        return self.text[self.at :]

    def forced(self) -> tuple[bytes, Frame]:
        """The rest of the text."""
        return self.policy()

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the text."""
        return self.text[self.at :], self.after


class Choice(Frame):
    """One of several texts, none of them a prefix of another; the policy writes the first."""

    __slots__ = ("at", "options")

    def __init__(self, doc: Draft, options: Sequence[Option], at: int = 0) -> None:
        super().__init__(doc)
        self.options, self.at = options, at

    def step(self, byte: int) -> Frame | None:
        """The byte with which one of the texts goes on."""
        at = self.at
        left = [option for option in self.options if option[0][at] == byte]
        if not left:
            return None
        if len(left) == 1:
            text, then = left[0]
            return then(self.doc) if at + 1 == len(text) else Fixed(self.doc, text, then, at + 1)
        return Choice(self.doc, left, at + 1)

    def hints(self) -> frozenset[int]:
        """The next bytes of the texts."""
        return frozenset(text[self.at] for text, _ in self.options)

    def ahead(self) -> bytes:
        """What all texts go on with."""
        return shared_beginning([text for text, _ in self.options])[self.at :]

    def forced(self) -> tuple[bytes, Frame] | None:
        """The same."""
        if len(self.options) == 1:
            return self.policy()
        text = self.ahead()
        return (text, Choice(self.doc, self.options, self.at + len(text))) if text else None

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the first text."""
        text, then = self.options[0]
        return text[self.at :], then(self.doc)

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        text, then = self.options[0]
        return text[self.at :], (id(then), id(self.doc)), lambda: then(self.doc)


def choice(doc: Draft, options: Sequence[Option]) -> Frame:
    """One of the texts, of which there is at least one; ahead of a single one there is nothing to choose."""
    if len(options) == 1:
        return Fixed(doc, *options[0])
    return Choice(doc, options)


class Words(Frame):
    """One of several words, of which some may begin others; what follows them tells where the word ends.

    The policy writes the shortest word, the first of several; words and policy order are fixed by ``words``, sorted.
    """

    __slots__ = ("then", "typed", "words")

    def __init__(self, doc: Draft, words: Sequence[bytes], then: Then, typed: bytes = b"") -> None:
        super().__init__(doc)
        self.words, self.then, self.typed = words, then, typed

    def step(self, byte: int) -> Frame | None:
        """The next byte of a word, or what follows a whole one."""
        longer = self.typed + bytes((byte,))
        at = bisect_left(self.words, longer)
        if at < len(self.words) and self.words[at].startswith(longer):
            return Words(self.doc, self.words, self.then, longer)
        return self.then(self.doc).step(byte) if self._is_whole() else None

    def _is_whole(self) -> bool:
        at = bisect_left(self.words, self.typed)
        return at < len(self.words) and self.words[at] == self.typed

    def hints(self) -> frozenset[int] | None:
        """The next bytes of the words, and those of what follows a whole one."""
        after = self.then(self.doc).hints() if self._is_whole() else frozenset()
        if after is None:
            return None
        size = len(self.typed)
        found = {word[size] for word in self.words if len(word) > size and word.startswith(self.typed)}
        return after | found

    def left(self) -> list[bytes]:
        """The words that begin with what is typed."""
        return [word for word in self.words[bisect_left(self.words, self.typed) :] if word.startswith(self.typed)]

    def ahead(self) -> bytes:
        """What all words that are left go on with."""
        return shared_beginning(self.left())[len(self.typed) :]

    def forced(self) -> tuple[bytes, Frame] | None:
        """The same; what follows the word, where no other is left."""
        if text := self.ahead():
            return text, Words(self.doc, self.left(), self.then, self.typed + text)
        return (b"", self.then(self.doc)) if len(self.left()) == 1 else None

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the shortest word."""
        return self._rest(), self.then(self.doc)

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        return self._rest(), (id(self.then), id(self.doc)), lambda: self.then(self.doc)

    def _rest(self) -> bytes:
        at = bisect_left(self.words, self.typed)
        best = self.words[at]
        while at < len(self.words) and self.words[at].startswith(self.typed):
            if len(self.words[at]) < len(best):
                best = self.words[at]
            at += 1
        return best[len(self.typed) :]


class Either(Frame):
    """Several frames of which any may be meant; the policy is that of the first that is left."""

    __slots__ = ("frames",)

    def __init__(self, doc: Draft, frames: Sequence[Frame]) -> None:
        super().__init__(doc)
        self.frames = frames

    def step(self, byte: int) -> Frame | None:
        """The byte with which one of them goes on."""
        left = [after for frame in self.frames if (after := frame.step(byte)) is not None]
        return either(left) if left else None

    def hints(self) -> frozenset[int] | None:
        """Those of all frames."""
        found: frozenset[int] = frozenset()
        for frame in self.frames:
            hints = frame.hints()
            if hints is None:
                return None
            found |= hints
        return found

    def ahead(self) -> bytes:
        """What all frames go on with."""
        return shared_beginning([frame.ahead() for frame in self.frames])

    def policy(self) -> tuple[bytes, Frame]:
        """What the first one writes."""
        return self.frames[0].policy()


def either(frames: Sequence[Frame]) -> Frame:
    """One frame for several that may be meant, of which there is at least one."""
    return frames[0] if len(frames) == 1 else Either(frames[0].doc, frames)


def shared_beginning(texts: Sequence[bytes]) -> bytes:
    """The longest text with which all of some texts begin."""
    first, last = min(texts, default=b""), max(texts, default=b"")
    size = 0
    while size < len(first) and first[size] == last[size]:  # what the extremes share, those between share too
        size += 1
    return first[:size]


def settle(frame: Frame) -> Frame:
    """The same frame, or where some text must come next, a `Run` of all of it."""
    doc, text = frame.doc, b""
    while (forced := frame.forced()) is not None:
        more, frame = forced
        text += more
    return Run(doc, text, frame) if text else frame


def finish(frame: Frame) -> bytes:
    """The text that the completion policy writes from here to the end."""
    parts: list[bytes] = []
    while not frame.is_final:
        text, frame = frame.policy()
        parts.append(text)
    return b"".join(parts)


def feed(frame: Frame | None, text: bytes) -> Frame | None:
    """The frame after a text, None where it is not allowed."""
    for byte in text:
        if frame is None:
            return None
        frame = frame.step(byte)
    return frame
