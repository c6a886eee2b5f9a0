"""Tables for open places: which tokens stay inside a text or word, and which leave it.

Where text or words are open, thousands of tokens stay inside, and these are the same every time; so the vocabulary's
tree is sorted once for each kind of place and looked up from then on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from agentic_dsl.runtime.matcher.open_words import Alphabet
from agentic_dsl.runtime.matcher.texts import length_of, more_bytes
from agentic_dsl.runtime.matcher.vocabulary_trie import Bit, Node, Row, VocabularyTrie, add_tokens, merged


class Scan:
    """What the tokens below a node of the tree do in an open place.

    Attributes:
        within: ``within[k]`` are the tokens that stay inside and add at most k characters; the last row is all of them.
        leaving: for each way out the text before the byte that leaves, that byte, and the node behind it.
    """

    def __init__(self, within: list[Row], leaving: list[tuple[str, int, Node]]) -> None:
        self.within, self.leaving = within, leaving

    @property
    def inside(self) -> Row:
        """All tokens that stay inside."""
        return self.within[-1]

    @cached_property
    def at_once(self) -> dict[int, Node]:
        """The nodes behind the bytes that leave where nothing stands before them."""
        return {byte: node for text, byte, node in self.leaving if not text}

    @cached_property
    def later(self) -> dict[int, Node]:
        """The same where something does, whatever it is."""
        found: dict[int, list[Node]] = {}
        for text, byte, node in self.leaving:
            if text:
                found.setdefault(byte, []).append(node)
        return {byte: merged(nodes) for byte, nodes in found.items()}

    @cached_property
    def anywhere(self) -> dict[int, Node]:
        """The same whether or not something does."""
        found: dict[int, list[Node]] = {}
        for _, byte, node in self.leaving:
            found.setdefault(byte, []).append(node)
        return {byte: merged(nodes) for byte, nodes in found.items()}

    @cached_property
    def by_length(self) -> dict[int, dict[int, Node]]:
        """`later` by the number of characters before the byte that leaves."""
        found: dict[int, dict[int, list[Node]]] = {}
        for text, byte, node in self.leaving:
            if text:
                found.setdefault(len(text), {}).setdefault(byte, []).append(node)
        return {size: {byte: merged(nodes) for byte, nodes in ways.items()} for size, ways in found.items()}

    @cached_property
    def by_text(self) -> dict[str, list[tuple[int, Node]]]:
        """The ways out by the text before them."""
        found: dict[str, list[tuple[int, Node]]] = {}
        for text, byte, node in self.leaving:
            found.setdefault(text, []).append((byte, node))
        return found

    @cached_property
    def longest(self) -> int:
        """The most characters before a way out."""
        return max((len(text) for text, _, _ in self.leaving), default=0)


_MOST_TEXTS = 50_000
"""Names of which the tokens are kept."""


class Scans:
    """The tables of one vocabulary, each made when it is first asked for."""

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        # The node is kept with its table, so that what identifies it stays its own.
        self._tables: dict[tuple[object, ...], tuple[Node, Scan]] = {}
        self._along: dict[tuple[int, str], tuple[Node, list[Bit], Node | None]] = {}

    def text(self, node: Node, *, templates: bool, brace: bool) -> Scan:
        """Characters of a text; quotes and escapes leave, and braces where ``templates``."""
        stops = b'"\\{' if templates else b'"\\'
        # After a brace no other construct may open.
        not_first = b"%#" if brace else b""
        return self._table(node, ("text", stops, brace), lambda s: s.characters(b"", stops, not_first=not_first))

    def inner(self, node: Node) -> Scan:
        """Characters of a text inside a template; the backslash before its closing quote leaves."""
        return self._table(node, ("inner",), lambda s: s.characters(b'"{}', b"\\"))

    def word(self, node: Node, alphabet: Alphabet, end: bytes, *, begun: bool) -> Scan:
        """Characters of a word; the bytes ``end`` leave."""
        here = alphabet.rest if begun else alphabet.first
        return self._table(node, (here, alphabet.rest, end), lambda s: s.word(here, alphabet.rest, end))

    def along(self, node: Node, text: str) -> tuple[list[Bit], Node | None]:
        """Where the tokens along a text stand, and the node behind all of it; None where no token reaches beyond."""
        key = (id(node), text)
        if (known := self._along.get(key)) is None:
            if len(self._along) >= _MOST_TEXTS:
                self._along.clear()
            known = self._along[key] = (node, *_along(node, text))
        return known[1:]

    def _table(self, node: Node, kind: tuple[object, ...], make: Callable[[_Scanner], Scan]) -> Scan:
        key = (id(node), *kind)
        if (found := self._tables.get(key)) is None:
            found = self._tables[key] = (node, make(_Scanner(self.trie, node)))
        return found[1]


def _along(node: Node, text: str) -> tuple[list[Bit], Node | None]:
    found: list[Bit] = []
    for byte in text.encode():
        child = node.children.get(byte)
        if child is None:
            return found, None
        found += child.bits
        node = child
    return found, node if node.children else None


class _Scanner:
    """Sorts the tokens below a node into those that stay inside and those that leave."""

    def __init__(self, trie: VocabularyTrie, node: Node) -> None:
        self.trie, self.node = trie, node
        self.by_length: dict[int, list[int]] = {}
        self.ways: dict[bytes, tuple[str, int, Node]] = {}

    def word(self, first: str, rest: str, end: bytes) -> Scan:
        """Tokens made of the characters of a word."""
        inside = re.compile(b"(?:[%s][%s]*)?" % (_set_of(first), _set_of(rest)))
        for text, token_id in self.node.endings():
            match = inside.match(text)
            size = match.end() if match is not None else 0
            if size == len(text):
                self._stay(size, token_id)
            elif text[size] in end:
                self._leave(text, size, text[:size].decode("ascii"))
        return self._scan()

    def characters(self, never: bytes, end: bytes, *, not_first: bytes = b"") -> Scan:
        """Tokens made of characters but for ``never``, the last of which may be incomplete; ``end`` leaves."""
        excluded = never + end
        plain = bytes(byte for byte in range(0x20, 0x7F) if byte not in excluded).decode("ascii")
        inside = re.compile(b"[%s]*" % _set_of(plain))
        for text, token_id in self.node.endings():
            if text[0] in not_first:
                continue
            at = length = 0
            while True:
                match = inside.match(text, at)
                length, at = (length + match.end() - at, match.end()) if match is not None else (length, at)
                if at == len(text) or text[at] < 0x80:
                    break
                size = _character(text, at)
                if not size:
                    break
                at, length = at + size, length + 1
            if at == len(text):
                self._stay(length, token_id)
            elif text[at] in end:
                self._leave(text, at, text[:at].decode())
        return self._scan()

    def _stay(self, length: int, token_id: int) -> None:
        self.by_length.setdefault(length, []).append(token_id)

    def _leave(self, text: bytes, at: int, before: str) -> None:
        way = text[: at + 1]
        if way not in self.ways:
            node = self.node
            for byte in way:
                node = node.children[byte]
            self.ways[way] = (before, text[at], node)

    def _scan(self) -> Scan:
        within: list[Row] = []
        row = self.trie.row(())
        for length in range(max(self.by_length, default=0) + 1):
            if length in self.by_length:
                row = row.copy()
                add_tokens(row, self.by_length[length])
            within.append(row)
        return Scan(within, list(self.ways.values()))


def _set_of(characters: str) -> bytes:
    """Characters as they stand in a class of a pattern."""
    return re.escape(characters).encode("ascii")


def _character(text: bytes, at: int) -> int:
    """The bytes of a character of several bytes, fewer at the end of the text; 0 where there is none."""
    if more_bytes(text[at : at + 1]) is None:
        return 0
    size = length_of(text[at])
    for end in range(at + 1, min(at + size, len(text))):
        low, high = more_bytes(text[at:end]) or (1, 0)
        if not low <= text[end] <= high:
            return 0
    return min(size, len(text) - at)
