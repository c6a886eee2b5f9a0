"""The vocabulary as a tree of bytes, and sets of tokens as bitmask rows.

Built once a tokenizer and shared: everything here is read-only but for caches that only ever gain entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from agentic_dsl.runtime.vocabulary import Vocabulary

Row = npt.NDArray[np.uint32]
"""One row of a bitmask: bit ``t % 32`` of word ``t // 32`` is token t."""


@dataclass(slots=True, eq=False)
class TrieNode:
    """The tokens that begin with some bytes: those that end here, and the children by next byte."""

    children: dict[int, TrieNode] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)


class VocabularyTrie:
    """All tokens that spell bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.words = (len(vocabulary.tokens) + 31) // 32
        self.root = TrieNode()
        self.longest = 0
        for token_id, token in enumerate(vocabulary.tokens):
            if token:
                self.longest = max(self.longest, len(token))
                node = self.root
                for byte in token:
                    found = node.children.get(byte)
                    if found is None:
                        found = node.children[byte] = TrieNode()
                    node = found
                node.tokens.append(token_id)
        self.end_row = self.row(vocabulary.eos_token_ids)
        self.end_row.setflags(write=False)

    def row(self, token_ids: Iterable[int]) -> Row:
        """A row with just these tokens."""
        row: Row = np.zeros(self.words, dtype=np.uint32)
        add(row, token_ids)
        return row


def add(row: Row, token_ids: Iterable[int]) -> None:
    """Adds tokens to a row."""
    ids = np.fromiter(token_ids, dtype=np.int64)
    if len(ids) > 8:
        np.bitwise_or.at(row, ids >> 5, (np.uint32(1) << (ids & 31).astype(np.uint32)).astype(np.uint32))
        return
    for token_id in ids.tolist():
        row[token_id >> 5] |= np.uint32(1 << (token_id & 31))


def remove(row: Row, token_ids: Iterable[int]) -> None:
    """Takes tokens out of a row."""
    for token_id in token_ids:
        row[token_id >> 5] &= np.uint32(~(1 << (token_id & 31)) & 0xFFFFFFFF)


_TRIES: WeakKeyDictionary[Vocabulary, VocabularyTrie] = WeakKeyDictionary()
_LOCK = Lock()


def trie_of(vocabulary: Vocabulary) -> VocabularyTrie:
    """The tree of a vocabulary, built on first use and kept as long as the vocabulary."""
    with _LOCK:
        if (trie := _TRIES.get(vocabulary)) is None:
            trie = _TRIES[vocabulary] = VocabularyTrie(vocabulary)
        return trie
