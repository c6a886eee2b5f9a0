"""The token budget: what the completion policy would cost, in tokens, from any point of a text.

The cost is the number of tokens of the *shortest* segmentation of the policy's text into tokens of the vocabulary, end
token included. The policy is prefix-consistent, so after the first token of such a segmentation the rest costs one
less: as long as the cost fits, that token is allowed, and no budget is a dead end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentic_dsl.runtime.matcher.frames import Frame, finish
from agentic_dsl.runtime.matcher.open_words import OpenWord

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.bounds import Bounds
    from agentic_dsl.runtime.matcher.vocabulary_trie import Node

IMPOSSIBLE = 1 << 40
"""The cost of a text that no tokens spell."""

_MENTIONS = 2
"""How often the completion spells a new word where nodes are closed by themselves: here, and where it is declared."""

_MARGIN = 4
"""Tokens by which a character that is begun can make a completion dearer, and one for a word that has to be longer."""


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


Completions: TypeAlias = "dict[object, tuple[Costs | None, int, Frame, Frame]]"
"""What identifies a frame → its exact cost where that was needed, a bound, the frame, and one that leads to it."""

_MOST_KNOWN = 256


class BudgetGate:
    """Judges tokens by what is left of the budget; see `overlay.Gate`.

    What a token leads to is allowed iff its completion fits exactly. Most fit by far, so a bound is asked first.

    Attributes:
        highest: the highest cost that was asked for. Where more is left, nothing was refused, and nothing would be.
    """

    __slots__ = ("_after", "_base", "_bounds", "_left", "_root", "highest")

    def __init__(
        self, root: Node, base: Callable[[], Costs], left: int, bounds: Bounds, known: Completions | None = None
    ) -> None:
        """Begins with nothing judged.

        Args:
            root: of the vocabulary's tree.
            base: gives the completion at the current frame.
            left: the tokens left, the next one included.
            bounds: of the plan.
            known: completions that were counted before, whatever was left then; gains entries.
        """
        self._root, self._base, self._left, self._bounds = root, base, left, bounds
        self._after: Completions = {} if known is None else known
        self.highest = 0

    def allows(self, after: Frame) -> bool:
        """Whether the text can still be completed once a token has led to ``after``."""
        return self._affords(self.cost(after))

    def _affords(self, cost: int) -> bool:
        self.highest = max(self.highest, cost)
        return cost < self._left

    def cost(self, frame: Frame) -> int:
        """The tokens that the completion of a frame takes, end token included; a close bound where that fits."""
        text, key, following = frame.ending() or (b"", id(frame), lambda: frame)
        if (known := self._after.get(key)) is None:
            if len(self._after) >= _MOST_KNOWN:
                self._after.clear()
            made = following()
            # The frames are kept, so that what identifies them stays theirs.
            known = self._after[key] = (None, self._bounds.completion(made), made, frame)
        exact, bound, made, kept = known
        if exact is None:
            most = bound + len(text)
            if most < self._left:
                return most
            exact = self._costs(finish(made))
            self._after[key] = (exact, bound, made, kept)
        return costs(self._root, text + exact.text, exact).total if text else exact.total

    def _costs(self, text: bytes) -> Costs:
        base = self._base()
        if base.text.endswith(text):
            return Costs(text, base.at[len(base.text) - len(text) :], -1)
        return costs(self._root, text, base)

    def room(self, whole: Frame, open_frame: Frame) -> int:
        """How many characters more can surely be afforded in an open place."""
        if isinstance(open_frame, OpenWord):
            self.highest = IMPOSSIBLE  # the room depends on what is left
            fresh = open_frame.without_known()
            if not fresh.is_viable:
                return 0
            left = self._left - 1 - self.cost(fresh) - _MARGIN
            return left // (_MENTIONS if self._bounds.applies(fresh.doc) else self._mentions(fresh))
        return 1 << 20 if self._affords(self.cost(whole) + _MARGIN) else 0

    def _mentions(self, word: OpenWord) -> int:
        """How often the completion spells a new word, what is typed of it included."""
        shorter = word.word
        longer = word.at(f"{shorter}{word.alphabet.rest[0]}")
        if len(longer.typed) > word.limit:
            return 1  # there is no room anyway
        grown = len(longer.word) - len(shorter)
        more = len(longer.typed) + len(finish(longer)) - len(word.typed) - len(finish(word))
        return max(-(-more // max(grown, 1)), 1)
