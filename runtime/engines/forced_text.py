"""Forced text as tokens: how much of it can be appended, whatever comes next.

Text that a grammar forces is appended only up to a *stable border*. Behind it stand bytes that may become part of a
token with what follows, such as the blank before a word: they are left to the model, which then chooses the whole
token. The rules and their argument: ``docs/decisions/0010-jump-forward.md``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.vocabulary_trie import Row
    from agentic_dsl.runtime.tokenizer import Tokenizer

_WIDE = "é"
"""Stands for all characters beyond ASCII where one may follow."""


class ForcedText:
    """Tokenises forced text with one tokenizer and finds its stable border. Safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        tokens = tokenizer.vocabulary.tokens
        self._sorted = sorted({token for token in tokens if token})
        self._longest = dict.fromkeys(range(256), 0)  # by first byte
        for token in self._sorted:
            self._longest[token[0]] = max(self._longest[token[0]], len(token))
        self._first = np.array([token[0] if token else -1 for token in tokens], dtype=np.int16)
        self._length = np.array([len(token) if token else 0 for token in tokens], dtype=np.int32)

    def encode(self, text: bytes) -> list[int] | None:
        """The tokens of a whole answer, None where the tokenizer does not spell it exactly."""
        try:
            ids = self._tokenizer.encode(text.decode())
        except UnicodeDecodeError:  # the answer so far ends within a character
            return None
        # Normalising tokenizers spell some texts differently.
        return ids if self._tokenizer.decode_bytes(ids) == text else None

    def stable(self, text: bytes, ids: list[int], after: int, following: Row | None) -> list[int]:
        """The tokens of a text up to its stable border: they will still be its first ones when it goes on.

        Args:
            text: the answer so far with the forced text.
            ids: its tokens, where nothing follows.
            after: where the forced text begins; borders up to there are not looked for.
            following: the bitmask of the tokens that may come next; None where that is not known.
        """
        ends = np.cumsum(self._length[ids]).tolist()
        certain = self.certain_border(text, after) or 0
        count = bisect_right(ends, certain)
        if following is None or count == len(ids):
            return ids[:count]
        if not count:  # compare from a token in front of the forced text on
            count = max(bisect_right(ends, after) - 2, 0)
        start = ends[count - 1] if count else 0
        try:
            tail = text[start:].decode()
        except UnicodeDecodeError:  # the token begins within a character
            return ids[:count]
        return ids[:count] + self._agreed(tail, ids[count:], following)

    def certain_border(self, text: bytes, after: int) -> int | None:
        """The last place behind ``after`` that no token of the vocabulary can stand across, whatever follows the text.

        A merge across a place makes a token across it; where there is none, both sides are tokenised independently.
        """
        farthest = 0  # the end of the longest token from any place so far; beyond the text where one may go on
        best: int | None = None
        for start in range(max(0, after + 1 - max(self._longest.values())), len(text)):
            if start + self._longest[text[start]] <= after:
                continue
            if start > after and farthest <= start and text[start] & 0xC0 != 0x80:
                best = start
            farthest = max(farthest, self._reach(text, start))
        return len(text) if farthest <= len(text) and len(text) > after else best

    def _reach(self, text: bytes, start: int) -> int:
        """The end of the longest token of the vocabulary from here; beyond the text where a token goes on there."""
        reached = start + 1
        at = 0
        for end in range(start + 1, len(text) + 1):
            piece = text[start:end]
            at = bisect_left(self._sorted, piece, at)
            if at < len(self._sorted) and self._sorted[at] == piece:
                reached, at = end, at + 1
            if at == len(self._sorted) or not self._sorted[at].startswith(piece):
                return reached
        return len(text) + 1

    def _agreed(self, tail: str, ids: list[int], following: Row) -> list[int]:
        """The tokens with which a tail begins, whichever allowed token follows it; its own where nothing does."""
        agreed: list[int] | None = None
        for continuation in self._continuations(following):
            found = self._tokenizer.encode(tail + continuation)
            agreed = found[: common_prefix(found, agreed)] if agreed is not None else found
            if not agreed:
                break
        if agreed is None:
            return ids
        # What stands beyond the tail is the continuation's.
        ends = np.cumsum(self._length[agreed]).tolist()
        return agreed[: bisect_right(ends, len(tail.encode()))]

    def _continuations(self, following: Row) -> list[str]:
        """For every byte that may come next, the shortest and the longest way on; those that split early first."""
        bits = np.unpackbits(following.view(np.uint8), bitorder="little")[: len(self._first)]
        allowed = np.flatnonzero(bits)
        first = self._first[allowed]
        allowed, first = allowed[first >= 0], first[first >= 0]
        order = np.argsort(self._length[allowed], kind="stable")
        longest = dict(zip(first[order].tolist(), allowed[order].tolist(), strict=True))  # the last one stays
        ascii_bytes = sorted((byte for byte in longest if byte < 0x80), key=lambda byte: (chr(byte).isalnum(), byte))
        single = [chr(byte) for byte in ascii_bytes]
        whole = [self._tokenizer.decode([longest[byte]]) for byte in ascii_bytes]
        return [*single, *([_WIDE] if len(ascii_bytes) < len(longest) else []), *whole]


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)
