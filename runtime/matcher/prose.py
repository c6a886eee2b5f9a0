"""Prose: the frames of an answer that may be plain text, and of one that is.

`Mixed` stands before the first byte, where the model chooses. Behind the first byte of prose there is nothing to keep
but UTF-8, so a frame knows only what is missing of a character, and the text may end wherever none is.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from agentic_dsl.compiler.grammar.prose import FIRST
from agentic_dsl.runtime.matcher.frames import Frame, settle

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

_LAST_OF_ASCII = 0x7F


class Rest(NamedTuple):
    """What is missing of a character: the range of its next byte, and how many come after that one."""

    low: int
    high: int
    more: int

    @property
    def text(self) -> bytes:
        """The smallest end of the character."""
        return bytes((self.low, *[0x80] * self.more))


@cache
def rest_behind(lead: int) -> Rest | None:
    """What is missing behind the first byte of a character of several bytes, None where it is no such byte.

    The narrower ranges keep overlong forms, surrogates and what is beyond Unicode out (RFC 3629, section 4).
    """
    if not 0xC2 <= lead <= 0xF4:
        return None
    low = {0xE0: 0xA0, 0xF0: 0x90}.get(lead, 0x80)
    high = {0xED: 0x9F, 0xF4: 0x8F}.get(lead, 0xBF)
    return Rest(low, high, 0 if lead < 0xE0 else 1 if lead < 0xF0 else 2)


class Prose(Frame):
    """Plain text at the border of a character: anything may follow, and nothing has to."""

    __slots__ = ()
    is_final = True

    def step(self, byte: int) -> Frame | None:
        """A character of ASCII, or the first byte of another one."""
        if byte <= _LAST_OF_ASCII:
            return self
        rest = rest_behind(byte)
        return None if rest is None else ProseCharacter(self.doc, rest)

    def policy(self) -> tuple[bytes, Frame]:
        """There is nothing that must be written."""
        return b"", self


class ProseCharacter(Frame):
    """Plain text within a character of several bytes."""

    __slots__ = ("rest",)

    def __init__(self, doc: Draft, rest: Rest) -> None:
        super().__init__(doc)
        self.rest = rest

    def step(self, byte: int) -> Frame | None:
        """The next byte of the character."""
        low, high, more = self.rest
        if not low <= byte <= high:
            return None
        return ProseCharacter(self.doc, Rest(0x80, 0xBF, more - 1)) if more else Prose(self.doc)

    def policy(self) -> tuple[bytes, Frame]:
        """The smallest end of the character."""
        return self.rest.text, Prose(self.doc)


class Mixed(Frame):
    """Before the first byte of an answer that may be prose. The policy writes a block.

    So a budget in which no block fits is refused as it is without prose: the choice is the model's.
    """

    __slots__ = ("block",)

    def __init__(self, doc: Draft, block: Frame) -> None:
        """``block`` begins a block."""
        super().__init__(doc)
        self.block = settle(block)

    def step(self, byte: int) -> Frame | None:
        """The first byte of a block, or of prose."""
        after = self.block.step(byte)
        if after is None and (byte > _LAST_OF_ASCII or chr(byte) in FIRST):
            after = Prose(self.doc).step(byte)
        return after

    def policy(self) -> tuple[bytes, Frame]:
        """What begins a block."""
        return self.block.policy()


__all__ = ["Mixed", "Prose", "ProseCharacter", "Rest", "rest_behind"]
