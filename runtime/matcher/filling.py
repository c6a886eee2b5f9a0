"""Fills a row where text, words, paths or templates are open.

What stays inside is looked up (`scans`), and only what leaves is walked: once for all tokens that leave alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentic_dsl.runtime.matcher.bounded_texts import BoundedText
from agentic_dsl.runtime.matcher.frames import Frame
from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.output_keys import ResultPath
from agentic_dsl.runtime.matcher.paths import DYNAMIC, SEGMENT, DynamicPath
from agentic_dsl.runtime.matcher.queries import URL, UrlText
from agentic_dsl.runtime.matcher.scans import Scan
from agentic_dsl.runtime.matcher.template_filling import fill_template, fill_tight_template, has_room
from agentic_dsl.runtime.matcher.texts import InTemplate, Text, inside
from agentic_dsl.runtime.matcher.tree_walk import TreeWalk, Wrap, itself, node_behind
from agentic_dsl.runtime.matcher.vocabulary_trie import Node, bit_of, remove
from agentic_dsl.runtime.matcher.word_filling import fill_word

_JUDGED = b'"\\'
"""What ends a text, or stands for a character that may belong to the path of a field."""


class Filling(TreeWalk):
    """The walk with everything that can be open."""

    __slots__ = ()

    def walk_open(self, frame: Frame, node: Node, wrap: Wrap) -> bool:
        """Hands an open place to what fills it; False where nothing is open."""
        fill = _FILLS.get(type(frame))
        return fill is not None and fill(self, frame, node, wrap)

    def open_text(self, frame: Text, node: Node, _: Wrap) -> bool:
        """A text, unless it is in the middle of a character."""
        if not frame.begun:
            self._text(frame, node)
        return not frame.begun

    def open_result_path(self, frame: ResultPath, node: Node, _: Wrap) -> bool:
        """The path of a tool's result, likewise."""
        if not frame.inner.begun:
            self._result_path(frame, node)
        return not frame.inner.begun

    def open_word(self, frame: OpenWord, node: Node, wrap: Wrap) -> bool:
        """A word that may be a new one."""
        if frame.fresh:
            fill_word(self, frame, node, wrap)
        return frame.fresh

    def open_path(self, frame: DynamicPath, node: Node, _: Wrap) -> bool:
        """A path below the one that all generated ones begin with."""
        is_open = frame.typed != DYNAMIC
        if is_open:
            self._path(frame, node)
        return is_open

    def open_url(self, frame: UrlText, node: Node, _: Wrap) -> bool:
        """A text in a URL, unless it is in the middle of an escape."""
        if frame.is_even:
            self._url(frame, node)
        return frame.is_even

    def open_template(self, frame: InTemplate, node: Node, _: Wrap) -> bool:
        """The inside of a template."""
        if not has_room(frame, self.scans.trie.longest):
            return fill_tight_template(self, frame, node)
        inner, back, most, used = frame.inner, frame.back, frame.most, frame.used

        def wrapped(after: Frame | None) -> Frame | None:
            # There is room for any token, so that the exact count only matters behind it.
            return None if after is None else inside(after, used, most, back)

        return fill_template(self, frame, inner, node, wrapped)

    def _text(self, frame: Text, node: Node) -> None:
        """Tokens that stay in a text, and those that close it, open a template or end within a character."""
        longest = self.scans.trie.longest
        scan = self.scans.text(node, templates=frame.template is not None, brace=frame.brace)
        self.add_within(scan, frame.most - frame.used, frame, frame)
        is_far = self._is_far_from_bound(frame)
        if is_far and self.gate is None and not frame.brace and frame.repeats(frame, longest):
            self._leave_text(frame, scan.anywhere)
            return
        for byte, child in scan.at_once.items():
            self.enter(frame.step(byte), child)
        if is_far and frame.is_even(longest):
            # Behind at least one character: what follows does not depend on how many.
            inner = frame.at(frame.used + 1)
            if self.gate is None:
                self._leave_text(inner, scan.later)
                return
            for byte, child in scan.later.items():
                self.enter(inner.step(byte), child)
            return
        for size, exits in scan.by_length.items():
            if frame.used + size <= frame.most:
                for byte, child in exits.items():
                    self.enter(frame.at(frame.used + size).step(byte), child)

    def _leave_text(self, frame: Text, exits: Mapping[int, Node]) -> None:
        """Tokens that leave a text, the same after each character behind which it may end alike."""
        key = exits, frame.closes, frame.then, frame.doc
        self.row |= self.recent.row(*key, make=lambda: self.row_of(frame, exits, itself))

    def _is_far_from_bound(self, frame: Text) -> bool:
        """Whether any token fits into a text, and a template that it opens too."""
        return frame.used + self.scans.trie.longest + frame.doc.plan.longest_read <= frame.most

    def _result_path(self, frame: ResultPath, node: Node) -> None:
        """The tokens of a text; those that close it, and escapes, are judged by what they spell."""
        text = frame.inner
        room = text.most - text.used
        is_far = self._is_far_from_bound(text)
        scan = self.scans.text(node, templates=True, brace=text.brace)
        if is_far:
            self._text(text, node)
            self.forget([(byte, child) for _, byte, child in scan.leaving if byte in _JUDGED])
        else:
            self.add_within(scan, room, text, text)
            self._judge_full(frame, node, scan, room)
        for before, byte, child in scan.leaving:
            if len(before) <= room and (byte in _JUDGED or not is_far):
                self.enter(frame.longer(before).step(byte), child)
        if self.gate is not None:
            self._along_policy(frame, node)

    def _judge_full(self, frame: ResultPath, node: Node, scan: Scan, room: int) -> None:
        """Takes the tokens out that leave no room to make something else of a path that there is not."""
        if not 0 < room < len(scan.within):
            return
        full = self.row & scan.within[room] & ~scan.within[room - 1]
        refused = []
        for text, token_id in node.endings():
            if full[token_id >> 5] >> (token_id & 31) & 1:
                after: Frame | None = frame
                for byte in text:
                    after = after.step(byte) if after is not None else None
                if after is None:
                    refused.append(bit_of(token_id))
        remove(self.row, refused)

    def _along_policy(self, frame: Frame, node: Node) -> None:
        """The tokens along the shortest end, which a budget allows where it allows nothing else."""
        at: Node | None = node
        after: Frame | None = frame
        for byte in frame.policy()[0]:
            at = at.children.get(byte) if at is not None else None
            after = after.step(byte) if after is not None else None
            if at is None or after is None:
                return
            self.find(at, after)

    def _path(self, frame: DynamicPath, node: Node) -> None:
        """Tokens that stay in a segment of a path, and those that end it."""
        scan = self.scans.word(node, SEGMENT, b'/"', begun=frame.typed[-1] != "/")
        room = frame.doc.plan.max_text - len(frame.typed)
        self.add_within(scan, room, frame, frame)
        for byte, child in scan.at_once.items():
            self.enter(frame.step(byte), child)
        for size, exits in scan.by_length.items():
            if size <= room:
                for byte, child in exits.items():
                    self.enter(frame.longer(frame.some_segment(size)).step(byte), child)
        # Paths that lead back must go on; what ends them is judged by itself.
        for segment in frame.leading_back():
            if ways := scan.by_text.get(segment):
                self.forget(ways)
                for byte, child in ways:
                    self.enter(frame.longer(segment).step(byte), child)
            if len(segment) == room and (last := node_behind(node, segment)) is not None:
                remove(self.row, last.bits)

    def _url(self, frame: UrlText, node: Node) -> None:
        """Tokens that stay in a URL-encoded text, and those that end it or begin an escape."""
        scan = self.scans.word(node, URL, b'%"&', begun=True)
        room = frame.room
        self.add_within(scan, room, frame, frame)
        for byte, child in scan.at_once.items():
            self.enter(frame.step(byte), child)
        for size, exits in scan.by_length.items():
            if size <= room:
                for byte, child in exits.items():
                    self.enter(frame.longer(size).step(byte), child)


_FILLS: dict[type[Frame], Callable[[Filling, Any, Node, Wrap], bool]] = {
    Text: Filling.open_text,
    BoundedText: Filling.open_text,
    ResultPath: Filling.open_result_path,
    OpenWord: Filling.open_word,
    DynamicPath: Filling.open_path,
    UrlText: Filling.open_url,
    InTemplate: Filling.open_template,
}
"""What fills which open place; asked for every node of the tree that is walked, so that nothing is tried in turn."""
