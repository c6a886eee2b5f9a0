"""Which beginnings of texts a cache has held: how many tokens are computed again, not for the first time."""

from __future__ import annotations

from array import array

from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.radix_tree import RadixTree

REMEMBERED = 1 << 20
"""Tokens of a generation; 4 bytes each, and about 500 for each place where texts part."""


class SeenPrefixes:
    """Remembers token ids only, in two generations: when the young one is full it becomes the old one.

    What was added last is remembered over the next ``limit`` new tokens at least; memory is bounded by twice that.
    """

    def __init__(self, block_tokens: int = 1, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._young: RadixTree[CountedPayload] = RadixTree(block_tokens)
        self._old: RadixTree[CountedPayload] = RadixTree(block_tokens)

    def add(self, tokens: array[int]) -> int:
        """How many tokens at the beginning were there before; all of them are from now on."""
        known = self._young.match(tokens).length
        seen = max(known, self._old.match(tokens).length)
        if known < len(tokens):
            self._young.insert(tokens, lambda start, end: CountedPayload(end - start))
            if self._young.tokens > self._limit:
                self._old, self._young = self._young, RadixTree(self._young.block_tokens)
        return seen
