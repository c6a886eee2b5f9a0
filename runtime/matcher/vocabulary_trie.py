"""The vocabulary as a tree of bytes, and sets of tokens as bitmask rows.

Built once a tokenizer and shared: everything here is read-only but for caches that only ever gain entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from agentic_dsl.runtime.vocabulary import Vocabulary

SortedTokens = Sequence[tuple[bytes, int]]
"""Tokens with their ids, in the order of their bytes."""

Row = npt.NDArray[np.uint32]
"""One row of a bitmask: bit ``t % 32`` of word ``t // 32`` is token t."""

Bit = tuple[int, int]
"""Where a token stands in a row: its word, and that word with nothing but the token's bit."""


class TrieNode:
    """The tokens that begin with some bytes: those that end here, and the children by next byte.

    A node is a range of the sorted tokens; children are made when they are first asked for. So a vocabulary costs one
    sort, and the garbage collector sees the few nodes that walks have met, not hundreds of thousands.

    Attributes:
        tokens: ids of the tokens that end here.
        bits: where they stand in rows.
        children: the nodes one byte further.
    """

    __slots__ = ("_begin", "_depth", "_end", "_order", "bits", "children", "tokens")
    children: dict[int, Node]

    def __init__(self, order: SortedTokens, begin: int, end: int, depth: int) -> None:
        """The node of ``order[begin:end]``, which agree in their first ``depth`` bytes and are all that do."""
        self._order, self._end, self._depth = order, end, depth
        self.tokens: list[int] = []
        while begin < end and len(order[begin][0]) == depth:  # the shortest come first
            self.tokens.append(order[begin][1])
            begin += 1
        self.bits = [bit_of(token_id) for token_id in self.tokens]
        self._begin = begin

    def __getattr__(self, name: str) -> dict[int, Node]:
        if name != "children":
            raise AttributeError(name)
        order, depth, at = self._order, self._depth, self._begin
        found: dict[int, Node] = {}
        while at < self._end:
            byte = order[at][0][depth]
            after = at + 1
            while after < self._end and order[after][0][depth] == byte:
                after += 1
            found[byte] = TrieNode(order, at, after, depth + 1)
            at = after
        self.children = found
        return found

    def endings(self) -> Iterator[tuple[bytes, int]]:
        """What each token below spells from here on, and its id; those that end here are left out."""
        for at in range(self._begin, self._end):
            token, token_id = self._order[at]
            yield token[self._depth :], token_id


class Merged:
    """Several nodes as one, so that what holds for all of them is asked once.

    Children are merged when they are first asked for, because most walks die at the first byte.
    """

    def __init__(self, sources: Sequence[Node]) -> None:
        """``sources`` are the nodes."""
        self._sources = sources

    def endings(self) -> Iterator[tuple[bytes, int]]:
        """See `TrieNode.endings`."""
        for source in self._sources:
            yield from source.endings()

    @cached_property
    def tokens(self) -> list[int]:
        """The tokens that end at any of the nodes."""
        return [token for source in self._sources for token in source.tokens]

    @cached_property
    def bits(self) -> list[Bit]:
        """Where these stand in rows."""
        return [bit for source in self._sources for bit in source.bits]

    @cached_property
    def children(self) -> dict[int, Node]:
        """The children of all nodes by next byte."""
        found: dict[int, list[Node]] = {}
        for source in self._sources:
            for byte, child in source.children.items():
                found.setdefault(byte, []).append(child)
        return {byte: merged(nodes) for byte, nodes in found.items()}


Node = TrieNode | Merged
"""A node of the tree, or several of them."""


def merged(nodes: Sequence[Node]) -> Node:
    """One node for several, of which there is at least one."""
    return nodes[0] if len(nodes) == 1 else Merged(nodes)


class VocabularyTrie:
    """All tokens that spell bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.words = (len(vocabulary.tokens) + 31) // 32
        order = sorted((token, token_id) for token_id, token in enumerate(vocabulary.tokens) if token)
        self.root = TrieNode(order, 0, len(order), 0)
        self.longest = max((len(token) for token, _ in order), default=0)
        self._spelled: dict[bytes, bool] = {}
        self.end_row = self.row(tuple(vocabulary.eos_token_ids))
        self.end_row.setflags(write=False)

    def spells(self, text: bytes) -> bool:
        """Whether some token has a text within it."""
        if (known := self._spelled.get(text)) is None:
            known = self._spelled[text] = any(text in token for token in self.vocabulary.tokens if token)
        return known

    def empty_row(self) -> Row:
        """A row with none."""
        return np.zeros(self.words, dtype=np.uint32)

    def row(self, token_ids: Sequence[int]) -> Row:
        """A row with just these tokens."""
        row = self.empty_row()
        add_tokens(row, token_ids)
        return row


def bit_of(token_id: int) -> Bit:
    """Where a token stands in a row."""
    return token_id >> 5, 1 << (token_id & 31)


def add(row: Row, bits: Iterable[Bit]) -> None:
    """Adds tokens to a row."""
    words = row.data  # plain numbers are faster than numpy's, one by one
    for word, bit in bits:
        words[word] |= bit


def add_tokens(row: Row, token_ids: Sequence[int]) -> None:
    """Adds many tokens to a row at once."""
    ids = np.array(token_ids, dtype=np.int64)
    np.bitwise_or.at(row, ids >> 5, (np.uint32(1) << (ids & 31).astype(np.uint32)).astype(np.uint32))


def remove(row: Row, bits: Iterable[Bit]) -> None:
    """Takes tokens out of a row."""
    words = row.data
    for word, bit in bits:
        words[word] &= ~bit & 0xFFFFFFFF


_TRIES: WeakKeyDictionary[Vocabulary, VocabularyTrie] = WeakKeyDictionary()
_LOCK = Lock()


def trie_of(vocabulary: Vocabulary) -> VocabularyTrie:
    """The tree of a vocabulary, built on first use and kept as long as the vocabulary."""
    with _LOCK:
        if (trie := _TRIES.get(vocabulary)) is None:
            trie = _TRIES[vocabulary] = VocabularyTrie(vocabulary)
        return trie
