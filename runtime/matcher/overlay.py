"""From a frame to the tokens that may come next.

In most places few tokens are possible: then the vocabulary's tree is walked along the frames, and every token is judged
by all of its bytes, whatever borders it crosses. Where text or words are open, thousands of tokens stay inside: these
are the same every time, so they are looked up; only tokens that leave (a closing quote and what follows it, an opened
template) are walked. A length bound is met by tables per length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from agentic_dsl.runtime.matcher.frames import Fixed, Frame
from agentic_dsl.runtime.matcher.open_words import NAME, Alphabet, OpenWord
from agentic_dsl.runtime.matcher.paths import DYNAMIC, SEGMENT, DynamicPath
from agentic_dsl.runtime.matcher.templates import GuardedRead, InnerText, Member
from agentic_dsl.runtime.matcher.texts import InTemplate, Text, inside, length_of, more_bytes
from agentic_dsl.runtime.matcher.vocabulary_trie import Row, TrieNode, VocabularyTrie, add, remove


@dataclass(eq=False)
class Scan:
    """What the tokens below a node of the tree do in an open place.

    Attributes:
        within: ``within[k]`` are the tokens that stay inside and add at most k characters; the last row is all of them.
        leaving: for each way out (the byte or bytes that leave) the text before it and the node behind it.
    """

    within: list[Row]
    leaving: list[tuple[str, int, TrieNode]]


class Gate(Protocol):
    """What a token budget allows of what the text allows."""

    def allows(self, after: Frame) -> bool:
        """Whether a token may come after which the text is at ``after``."""
        ...

    def room(self, whole: Frame, open_frame: Frame) -> int:
        """How many characters a token may add that stays inside an open place.

        Args:
            whole: the frame of the text.
            open_frame: the same, or the frame within a template.
        """
        ...


class Overlay:
    """The masks of one vocabulary. Shared by all matchers of a tokenizer; it only ever gains table entries."""

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self._scans: dict[object, Scan] = {}

    def fill(self, frame: Frame, row: Row, gate: Gate | None = None) -> None:
        """Writes the tokens that may come next."""
        if frame.is_final:
            row[:] = self.trie.end_row
            return
        row[:] = 0
        _Filling(self, row, gate).fill(frame)

    def scan(self, key: tuple[object, ...], make: Callable[[], Scan]) -> Scan:
        """A table, made when it is first asked for."""
        if (scan := self._scans.get(key)) is None:
            scan = self._scans[key] = make()
        return scan


@dataclass(eq=False)
class _Filling:
    """One fill of one row."""

    overlay: Overlay
    row: Row
    gate: Gate | None
    found: list[int] = field(default_factory=list)

    @property
    def trie(self) -> VocabularyTrie:
        return self.overlay.trie

    def fill(self, frame: Frame) -> None:
        self._walk(frame, self.trie.root)
        if self.found:
            add(self.row, self.found)

    def _find(self, node: TrieNode, after: Frame) -> None:
        """The tokens that end at a node, after which the text is at ``after``."""
        if node.tokens and (self.gate is None or self.gate.allows(after)):
            self.found += node.tokens

    def _walk(self, frame: Frame, node: TrieNode) -> None:
        """Adds the tokens below a node that a frame allows to ``found``, or whole tables of them to ``row``."""
        while isinstance(frame, Fixed):
            child = node.children.get(frame.text[frame.at])
            if child is None:
                return
            after = frame.step(frame.text[frame.at])
            if after is None:
                return
            self._find(child, after)
            if not child.children:
                return
            frame, node = after, child
        if frame.is_final:
            return
        if len(node.children) > _FEW and self._walk_open(frame, node, lambda after: after):
            return
        children = node.children
        hints = frame.hints()
        for byte in children if hints is None else hints:
            child = children.get(byte)
            if child is not None and (after := frame.step(byte)) is not None:
                self._enter(after, child)

    # --- open places -------------------------------------------------------------------------------------------------

    def _walk_open(self, frame: Frame, node: TrieNode, wrap: Callable[[Frame | None], Frame | None]) -> bool:
        """The same for a frame in which text or words are open; False where it is none of these.

        ``wrap`` makes the frame of the whole of one inside a template.
        """
        match frame:
            case Text() if not frame.begun:
                scan = self._scan_text(node, frame.template is not None, frame.brace)
                self._add_within(scan, frame.most - frame.used, frame, frame)
                self._leave_text(frame, scan)
            case OpenWord() if frame.fresh:
                scan = self._scan_word(node, frame.alphabet, not frame.typed, frame.end)
                self._add_within(scan, frame.limit - len(frame.typed), frame, frame)
                self._exclude(frame, node)
                if self.gate is not None:
                    self._towards_known(frame, node)
                self._leave_word(frame, scan, wrap)
            case DynamicPath() if (
                len(frame.typed) > len(DYNAMIC) and len(frame.typed) + self.trie.longest + 3 <= frame.doc.plan.max_text
            ):
                scan = self._scan(node, frame.typed[-1] != "/", SEGMENT, b'/"')
                self._add_within(scan, frame.doc.plan.max_text - len(frame.typed) - 3, frame, frame)
                for text, byte, child in scan.leaving:
                    path = DynamicPath(frame.doc, frame.then, frame.typed + text)
                    self._enter(path.step(byte), child)
            case InTemplate() if frame.used + self.trie.longest + _CLOSING_ROOM <= frame.most:
                inner = frame.inner
                back, most, used = frame.back, frame.most, frame.used

                def wrapped(after: Frame | None) -> Frame | None:
                    # There is room for any token, so that the exact count only matters behind it.
                    return None if after is None else inside(after, used, most, back)

                return self._walk_template(inner, node, wrapped)
            case _:
                return False
        return True

    def _walk_template(self, inner: Frame, node: TrieNode, wrap: Callable[[Frame | None], Frame | None]) -> bool:
        match inner:
            case InnerText() if not inner.begun:
                scan = self._scan_inner(node)
                self._add_within(scan, self.trie.longest, wrap(inner), inner)
                for _, byte, child in scan.leaving:
                    self._enter(wrap(inner.step(byte)), child)
            case Member() if inner.fields is None:
                scan = self._scan_name(node, first=not inner.typed)
                self._add_within(scan, self.trie.longest, wrap(inner), inner)
                for text, byte, child in scan.leaving:
                    member: Frame | None = Member(inner.doc, inner.base, None, inner.typed + text)
                    self._enter(wrap(member.step(byte)) if member else None, child)
            case GuardedRead() if inner.typed and inner.typed[-1] not in "].":
                scan = self._scan_name(node, first=False)
                self._add_within(scan, self.trie.longest, wrap(inner), inner)
                for text, byte, child in scan.leaving:
                    read = GuardedRead(inner.doc, inner.then, inner.typed + text, inner.name + text, inner.depth)
                    self._enter(wrap(read.step(byte)), child)
            case _:
                return False
        return True

    def _enter(self, frame: Frame | None, node: TrieNode) -> None:
        """Adds what ends at a node, and what is below it."""
        if frame is not None:
            self._find(node, frame)
            if node.children:
                self._walk(frame, node)

    def _add_within(self, scan: Scan, room: int, whole: Frame | None, open_frame: Frame) -> None:
        if self.gate is not None and whole is not None:
            room = min(room, self.gate.room(whole, open_frame))
        if room > 0:
            self.row |= scan.within[min(room, len(scan.within) - 1)]

    def _leave_text(self, frame: Text, scan: Scan) -> None:
        """Tokens that close the text or open a template, or end within a character."""
        for text, byte, child in scan.leaving:
            used = frame.used + len(text)
            if used <= frame.most:
                at = frame._with(used, brace=frame.brace and not text)
                self._enter(at.step(byte), child)

    def _towards_known(self, frame: OpenWord, node: TrieNode) -> None:
        """Tokens towards known words, which may be affordable where a new word is not."""
        for word in frame.known:
            at: TrieNode | None = node
            for end in range(len(frame.typed), len(word)):
                at = at.children.get(ord(word[end])) if at is not None else None
                if at is None:
                    break
                if at.tokens:
                    self._find(at, frame._with(word[: end + 1]))

    def _exclude(self, frame: OpenWord, node: TrieNode) -> None:
        """Takes the tokens out that would lead to a word from which none can come."""
        if frame.limit - len(frame.typed) >= self.trie.longest + 4:
            return
        size = len(frame.typed)
        for word in frame._taken_from(frame.typed):
            at: TrieNode | None = node
            for end in range(size, len(word)):
                at = at.children.get(ord(word[end])) if at is not None else None
                if at is None:
                    break
                typed = frame.typed + word[size : end + 1]
                if at.tokens and not frame._is_viable(typed):
                    remove(self.row, at.tokens)

    def _leave_word(
        self,
        frame: OpenWord,
        scan: Scan,
        wrap: Callable[[Frame | None], Frame | None],
    ) -> None:
        for text, byte, child in scan.leaving:
            word = frame.typed + text
            if frame._is_whole(word):
                self._enter(wrap(frame.then(frame.doc, word).step(byte)), child)

    # --- scans -------------------------------------------------------------------------------------------------------

    def _scan_text(self, node: TrieNode, templates: bool, brace: bool) -> Scan:
        make = partial(_Scanner.text, node=node, templates=templates, brace=brace)
        return self.overlay.scan((id(node), "text", templates, brace), lambda: make(_Scanner(self.trie)))

    def _scan_inner(self, node: TrieNode) -> Scan:
        return self.overlay.scan((id(node), "inner"), lambda: _Scanner(self.trie).characters(node, b'"\\{}', b"\\"))

    def _scan_word(self, node: TrieNode, alphabet: Alphabet, first: bool, end: bytes) -> Scan:
        return self._scan(node, not first, alphabet, end)

    def _scan(self, node: TrieNode, begun: bool, alphabet: Alphabet, end: bytes) -> Scan:
        here = alphabet.rest if begun else alphabet.first
        key = (id(node), here, alphabet.rest, end)
        return self.overlay.scan(key, lambda: _Scanner(self.trie).word(node, here, alphabet.rest, end))

    def _scan_name(self, node: TrieNode, *, first: bool) -> Scan:
        return self._scan_word(node, NAME, first, b" ),.[")


_FEW = 3
"""Below nodes with no more children than this, walking is as fast as looking up."""

_CLOSING_ROOM = 16
"""Where a template has this much room and that of the longest token, every token can still be closed."""

_BRACE = ord("{")
_QUOTE = ord('"')


class _Scanner:
    """Sorts the tokens below a node into those that stay inside and those that leave."""

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self.by_length: dict[int, list[int]] = {}
        self.leaving: list[tuple[str, int, TrieNode]] = []

    def _scan(self) -> Scan:
        within: list[Row] = []
        row = self.trie.row(())
        longest = max(self.by_length, default=0)
        for length in range(longest + 1):
            row = row.copy()
            add(row, self.by_length.get(length, ()))
            within.append(row)
        return Scan(within, self.leaving)

    def word(self, node: TrieNode, first: str, rest: str, end: bytes) -> Scan:
        """Tokens made of the characters of a word."""
        self._word(node, "", first, rest, end)
        return self._scan()

    def _word(self, node: TrieNode, text: str, here: str, rest: str, end: bytes) -> None:
        for byte, child in node.children.items():
            if byte in end:
                self.leaving.append((text, byte, child))
            elif byte < 0x80 and chr(byte) in here:
                longer = text + chr(byte)
                self._stay(child, len(longer))
                self._word(child, longer, rest, rest, end)

    def characters(self, node: TrieNode, never: bytes, end: bytes) -> Scan:
        """Tokens made of characters but for ``never``, the last of which may be incomplete; ``end`` leaves."""
        self._characters(node, 0, never, end)
        return self._scan()

    def _characters(self, node: TrieNode, length: int, never: bytes, end: bytes) -> None:
        for byte, child in node.children.items():
            if byte in end:
                self.leaving.append(("a" * length, byte, child))
            elif byte >= 0x80:
                self._character(child, bytes((byte,)), length + 1, never, end)
            elif byte >= 0x20 and byte != 0x7F and byte not in never:
                self._stay(child, length + 1)
                self._characters(child, length + 1, never, end)

    def _character(self, node: TrieNode, begun: bytes, length: int, never: bytes, end: bytes) -> None:
        """A character of several bytes, of which some are there."""
        if (bounds := more_bytes(begun)) is None:
            return
        self._stay(node, length)
        if len(begun) == length_of(begun[0]):
            self._characters(node, length, never, end)
            return
        for byte, child in node.children.items():
            if bounds[0] <= byte <= bounds[1]:
                self._character(child, begun + bytes((byte,)), length, never, end)

    def _stay(self, node: TrieNode, length: int) -> None:
        self.by_length.setdefault(length, []).extend(node.tokens)

    def text(self, node: TrieNode, templates: bool, brace: bool) -> Scan:
        """Tokens made of characters; escapes and braces leave; after a brace no other construct opens."""
        stops = b'"\\{' if templates else b'"\\'
        if brace:
            children = {byte: child for byte, child in node.children.items() if byte not in b"%#"}
            node = TrieNode(children)
        self._characters(node, 0, stops, stops)
        return self._scan()
