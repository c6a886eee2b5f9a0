"""The token budget: what the completion policy would cost, in tokens, from any point of a text.

The cost is the number of tokens of the *shortest* segmentation of the policy's text into tokens of the vocabulary, end
token included. The policy is prefix-consistent, so after the first token of such a segmentation the rest costs one
less: as long as the cost fits, that token is allowed, and no budget is a dead end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl.runtime.matcher.frames import Frame, finish
from agentic_dsl.runtime.matcher.open_words import OpenWord

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.vocabulary_trie import Node

IMPOSSIBLE = 1 << 40
"""The cost of a text that no tokens spell."""

_MARGIN = 4
"""Tokens by which a character that is begun can make a completion dearer, and one for a word that has to be longer."""

_MENTIONS = 3
"""How often a new word can stand in a completion: where it is written, where it is declared, and in a ``wait_for``."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """The cost of a text and of all its ends.

    Attributes:
        text: the text.
        at: ``at[i]`` is the number of tokens, end token included, of ``text[i:]``.
        first: the token with which the shortest segmentation of the whole begins, the first of several; -1 for the
            empty text.
    """

    text: bytes
    at: tuple[int, ...]
    first: int

    @property
    def total(self) -> int:
        """The cost of the whole text."""
        return self.at[0]


def costs(root: Node, text: bytes, known: Costs | None = None) -> Costs:
    """The costs of a text.

    Args:
        root: the vocabulary.
        text: the text.
        known: of a text that may share its end, for which nothing is then computed again.
    """
    shared = _common_end(text, known.text) if known is not None else 0
    size = len(text) - shared
    tail = known.at[len(known.at) - 1 - shared :] if known is not None else (1,)
    at = [IMPOSSIBLE] * size + list(tail)
    first = known.first if known is not None and shared == len(known.text) == len(text) else -1
    for start in range(size - 1, -1, -1):
        node: Node = root
        best = IMPOSSIBLE
        for end in range(start, len(text)):
            found = node.children.get(text[end])
            if found is None:
                break
            node = found
            if node.tokens and at[end + 1] + 1 < best:
                best = at[end + 1] + 1
                if start == 0:
                    first = node.tokens[0]
        at[start] = best
    if not size and text and first < 0:
        first = _first(root, text, at)
    return Costs(text, tuple(at), first)


def _first(root: Node, text: bytes, at: list[int]) -> int:
    node = root
    for end, byte in enumerate(text):
        node = node.children[byte]
        if node.tokens and at[end + 1] + 1 == at[0]:
            return node.tokens[0]
    raise AssertionError("a cost is that of some segmentation")


def _common_end(one: bytes, other: bytes) -> int:
    """The length of the longest end that two texts share."""
    most = min(len(one), len(other))
    if most and one[-most:] == other[-most:]:
        return most
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[-middle:] == other[-middle:]:
            low = middle
        else:
            high = middle - 1
    return low


class BudgetGate:
    """Judges tokens by what is left of the budget; see `overlay.Gate`."""

    __slots__ = ("_after", "_base", "_left", "_root")

    def __init__(self, root: Node, base: Costs, left: int) -> None:
        """``base`` is the completion at the current frame, ``left`` the tokens left, the next one included."""
        self._root, self._base, self._left = root, base, left
        self._after: dict[object, tuple[Costs, Frame, Frame]] = {}

    def cost(self, frame: Frame) -> int:
        """The tokens that the completion of a frame takes, end token included."""
        ending = frame.ending()
        if ending is None:
            return self._costs(finish(frame), self._base).total
        text, key, following = ending
        if (after := self._after.get(key)) is None:
            made = following()
            # The frame is kept, so that what identifies it stays its own.
            after = self._after[key] = (self._costs(finish(made), self._base), made, frame)
        return costs(self._root, text + after[0].text, after[0]).total

    def _costs(self, text: bytes, base: Costs) -> Costs:
        if base.text.endswith(text):
            start = len(base.text) - len(text)
            return Costs(text, base.at[start:], -1)
        return costs(self._root, text, base)

    def allows(self, after: Frame) -> bool:
        """Whether the text can still be completed once a token has led to ``after``."""
        return self.cost(after) < self._left

    def room(self, whole: Frame, open_frame: Frame) -> int:
        """How many characters more can surely be afforded in an open place."""
        if isinstance(open_frame, OpenWord):
            fresh = open_frame.without_known()
            if not fresh.is_viable:
                return 0
            left = self._left - 1 - self.cost(fresh) - _MARGIN
            return left // _MENTIONS
        return 1 << 20 if self.cost(whole) + _MARGIN < self._left else 0
