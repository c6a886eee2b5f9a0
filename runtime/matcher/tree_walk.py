"""The walk of the vocabulary's tree along frames: every token is judged by all of its bytes, whatever it crosses.

At a decision few tokens are possible, and the walk is all there is to it. Where text or words are open, `filling` looks
up what stays inside, and only what leaves is walked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

from agentic_dsl.runtime.matcher.frames import Choice, Either, Fixed, Frame, Run
from agentic_dsl.runtime.matcher.recent import Recent
from agentic_dsl.runtime.matcher.scans import Scan, Scans
from agentic_dsl.runtime.matcher.vocabulary_trie import Bit, Node, Row, add, remove

Wrap: TypeAlias = Callable[["Frame | None"], "Frame | None"]
"""Makes the frame of a whole of one within it; None stays None."""

Ways: TypeAlias = list[tuple[int, Node]]
"""Bytes that leave an open place, with the nodes behind them."""

_FEW = 3
"""Below nodes with no more children than this, walking is as fast as looking up."""


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


class TreeWalk(ABC):
    """One fill of one row.

    Attributes:
        scans: the tables of the vocabulary.
        row: the tokens that whole tables have brought so far.
        gate: what a budget allows, None for everything.
        recent: rows of this text that are needed again soon.
        found: where the tokens stand that were met one by one; `fill` adds them to the row.
    """

    __slots__ = ("found", "gate", "recent", "row", "scans")

    def __init__(self, scans: Scans, row: Row, gate: Gate | None, recent: Recent) -> None:
        self.scans, self.row, self.gate, self.recent = scans, row, gate, recent
        self.found: list[Bit] = []

    def fill(self, frame: Frame) -> None:
        """Adds the tokens that a frame allows to the row."""
        self.walk(frame, self.scans.trie.root)
        if self.found:
            add(self.row, self.found)

    def row_of(self, frame: Frame, exits: Mapping[int, Node], wrap: Wrap) -> Row:
        """A row of its own: the tokens that step from a frame by some bytes, whatever a budget allows."""
        row = self.scans.trie.empty_row()
        filling = type(self)(self.scans, row, None, self.recent)
        filling.step_each(frame, exits, wrap)
        add(row, filling.found)
        return row

    def find(self, node: Node, after: Frame) -> None:
        """Adds the tokens that end at a node, after which the text is at ``after``."""
        if node.tokens and (self.gate is None or self.gate.allows(after)):
            self.found += node.bits

    def enter(self, frame: Frame | None, node: Node) -> None:
        """Adds what ends at a node, and what is below it."""
        if frame is not None:
            self.find(node, frame)
            if node.children:
                self.walk(frame, node)

    def walk(self, frame: Frame, node: Node) -> None:
        """Adds the tokens below a node that a frame allows to ``found``, or whole tables of them to ``row``."""
        while type(frame) is Run or type(frame) is Fixed:
            if self.gate is None:
                reached = self.along(frame.text, frame.at, node)
                if reached is None:
                    return
                node = reached
                frame = frame.after if isinstance(frame, Run) else frame.then(frame.doc)
                continue
            byte = frame.text[frame.at]
            child = node.children.get(byte)
            if child is None:
                return
            after = frame.step(byte)
            assert after is not None  # it is the byte that must come
            self.find(child, after)
            frame, node = after, child
        if self.gate is None and (type(frame) is Either or type(frame) is Choice):
            self._each(frame, node)
            return
        if len(node.children) > _FEW and self.walk_open(frame, node, itself):
            return
        children = node.children
        hints = frame.hints()
        for byte in children if hints is None else hints:
            child = children.get(byte)
            if child is not None:
                self.enter(frame.step(byte), child)

    def _each(self, frame: Either | Choice, node: Node) -> None:
        """Walks every option by itself: no frame is made for what only begins one."""
        if isinstance(frame, Either):
            for option in frame.frames:
                self.walk(option, node)
            return
        for text, then in frame.options:
            if (reached := self.along(text, frame.at, node)) is not None:
                self.walk(then(frame.doc), reached)

    def along(self, text: bytes, at: int, node: Node) -> Node | None:
        """Adds the tokens along forced text; the node behind all of it, None where no token reaches so far."""
        for byte in text[at:]:
            child = node.children.get(byte)
            if child is None:
                return None
            if child.tokens:
                self.found += child.bits
            node = child
        return node if node.children else None

    @abstractmethod
    def walk_open(self, frame: Frame, node: Node, wrap: Wrap) -> bool:
        """Adds what is below a node for a frame in which text or words are open; False where it is none of these.

        ``wrap`` makes the frame of the whole of one inside a template.
        """

    def by_bytes(self, frame: Frame, node: Node, wrap: Wrap) -> None:
        """Adds what is below a node, byte by byte."""
        hints = frame.hints()
        for byte in node.children if hints is None else hints:
            if (child := node.children.get(byte)) is not None:
                self.enter(wrap(frame.step(byte)), child)

    def step_each(self, frame: Frame, exits: Mapping[int, Node], wrap: Wrap) -> None:
        """Adds what is behind some bytes, each with its node."""
        for byte, child in exits.items():
            self.enter(wrap(frame.step(byte)), child)

    def add_within(self, scan: Scan, room: int, whole: Frame, open_frame: Frame) -> None:
        """Adds the tokens that stay in an open place and add no more characters than there is room for."""
        if self.gate is not None:
            room = min(room, self.gate.room(whole, open_frame))
        if room > 0:
            self.row |= scan.within[min(room, len(scan.within) - 1)]

    def forget(self, ways: Ways) -> None:
        """Takes out what has been added of some tokens."""
        doubtful = {bit for _, child in ways for bit in _below(child)}
        self.found = [bit for bit in self.found if bit not in doubtful]
        remove(self.row, doubtful)


def itself(after: Frame | None) -> Frame | None:
    """The wrap of what is within nothing."""
    return after


def node_behind(node: Node, text: str) -> Node | None:
    """The node behind a text; None where no token reaches so far."""
    at: Node | None = node
    for byte in text.encode():
        at = at.children.get(byte) if at is not None else None
    return at


def _below(node: Node) -> Iterable[Bit]:
    """Where all tokens at a node and below it stand."""
    yield from node.bits
    children: Mapping[int, Node] = node.children
    for child in children.values():
        yield from _below(child)
