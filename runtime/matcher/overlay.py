"""From a frame to the tokens that may come next.

Inside forced text the tokens are those along it, whatever the document: rows are kept by the text. At a decision few
tokens are possible: the vocabulary's tree is walked along the frames, and every token is judged by all of its bytes,
whatever borders it crosses. Where text or words are open, what stays inside is looked up (`scans`), and only what
leaves is walked: once for all tokens that leave alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from agentic_dsl.runtime.matcher.bounds import Bounds
from agentic_dsl.runtime.matcher.frames import Choice, Either, Fixed, Frame, Run
from agentic_dsl.runtime.matcher.open_words import NAME, OpenWord
from agentic_dsl.runtime.matcher.paths import DYNAMIC, SEGMENT, DynamicPath
from agentic_dsl.runtime.matcher.queries import URL, UrlText
from agentic_dsl.runtime.matcher.scans import Scan, Scans
from agentic_dsl.runtime.matcher.templates import GuardedRead, InnerText, Member, Read
from agentic_dsl.runtime.matcher.texts import InTemplate, Text, characters, closing, inside
from agentic_dsl.runtime.matcher.vocabulary_trie import Node, Row, VocabularyTrie, add, remove

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.plan import Plan

Mask = npt.NDArray[np.int32]
"""A finished row, as engines take it; never changed."""

_WINDOW = 24
"""Bytes of forced text by which its rows are kept; tokens that run on longer are walked each time."""

_MOST_ROWS = 4096
"""Rows kept for forced text: 24 MiB for 49k tokens."""

_RECENT = 8
"""Rows kept for one text."""

_FEW = 3
"""Below nodes with no more children than this, walking is as fast as looking up."""

_AFTER_NAME = b" ),.["
"""What may follow a name in a template."""

_STEPS = b".["
_DOLLAR = ord("$")


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
        self.scans = Scans(trie)
        self.end = trie.end_row.view(np.int32)
        self._inside: dict[bytes, Mask | None] = {}
        self._bounds: WeakKeyDictionary[Plan, Bounds] = WeakKeyDictionary()

    def bounds(self, plan: Plan) -> Bounds:
        """What completions under a plan can cost."""
        if (bounds := self._bounds.get(plan)) is None:
            bounds = self._bounds[plan] = Bounds(plan, self.trie)
        return bounds

    def known(self, run: Run) -> Mask | None:
        """The mask at a place in forced text, where it has been asked for before and depends on nothing else."""
        return self._inside.get(run.text[run.at : run.at + _WINDOW])

    def mask(self, frame: Frame, gate: Gate | None = None, recent: Recent | None = None) -> Mask:
        """The tokens that may come next; end tokens where the text may end.

        Args:
            frame: where the text is.
            gate: what a budget allows, None for everything.
            recent: rows of this text that are needed again soon; gains entries.
        """
        if type(frame) is Run and gate is None:
            window = frame.text[frame.at : frame.at + _WINDOW]
            if window not in self._inside:
                return self._forced(frame, window, recent)
            if (known := self._inside[window]) is not None:
                return known
        row: Row = np.zeros(self.trie.words, dtype=np.uint32)
        _Filling(self, row, gate, recent if recent is not None else Recent()).fill(frame)
        if frame.is_final:
            row |= self.trie.end_row
        return row.view(np.int32)

    def _forced(self, frame: Run, window: bytes, recent: Recent | None) -> Mask:
        """The row of a place in forced text, kept where no token reaches beyond the window."""
        node: Node = self.trie.root
        found: list[int] = []
        closed = False
        for byte in window:
            child = node.children.get(byte)
            if child is None:
                closed = True
                break
            node = child
            found += node.tokens
        if len(self._inside) >= _MOST_ROWS:
            self._inside.clear()  # rare, and cheaper than keeping an order
        if not closed and node.children:
            self._inside[window] = None
            return self.mask(frame, recent=recent)
        mask = self.trie.row(found).view(np.int32)
        self._inside[window] = mask
        return mask


class Recent:
    """Rows of one text that its next tokens need again: what ends a word does so after each of its characters.

    Keys hold the objects that identify them, and compare these by identity.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[int, ...], tuple[tuple[object, ...], Row]] = {}
        self._frames: dict[tuple[int, int], tuple[object, object, Frame]] = {}

    def after(self, frame: OpenWord) -> Frame:
        """What follows a new word."""
        key = id(frame.then), id(frame.doc)
        if (found := self._frames.get(key)) is None:
            if len(self._frames) >= _RECENT:
                self._frames.clear()
            found = self._frames[key] = (frame.then, frame.doc, frame.then(frame.doc, frame.new_word()))
        return found[2]

    def row(self, *key: object, make: Callable[[], Row]) -> Row:
        """The row for some objects, made if it is not there."""
        numbers = tuple(map(id, key))
        if (found := self._rows.get(numbers)) is None:
            if len(self._rows) >= _RECENT:
                self._rows.clear()
            found = self._rows[numbers] = (key, make())
        return found[1]


class _Filling:
    """One fill of one row."""

    __slots__ = ("found", "gate", "overlay", "recent", "row")

    def __init__(self, overlay: Overlay, row: Row, gate: Gate | None, recent: Recent) -> None:
        self.overlay, self.row, self.gate, self.recent = overlay, row, gate, recent
        self.found: list[int] = []

    def fill(self, frame: Frame) -> None:
        self._walk(frame, self.overlay.trie.root)
        if self.found:
            add(self.row, self.found)

    def _find(self, node: Node, after: Frame) -> None:
        """The tokens that end at a node, after which the text is at ``after``."""
        if node.tokens and (self.gate is None or self.gate.allows(after)):
            self.found += node.tokens

    def _enter(self, frame: Frame | None, node: Node) -> None:
        """Adds what ends at a node, and what is below it."""
        if frame is not None:
            self._find(node, frame)
            if node.children:
                self._walk(frame, node)

    def _walk(self, frame: Frame, node: Node) -> None:
        """Adds the tokens below a node that a frame allows to ``found``, or whole tables of them to ``row``."""
        while isinstance(frame, Fixed | Run):
            if self.gate is None:
                reached = self._along(frame.text, frame.at, node)
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
            self._find(child, after)
            frame, node = after, child
        if self.gate is None and isinstance(frame, Either | Choice):
            self._each(frame, node)
            return
        if len(node.children) > _FEW and self._walk_open(frame, node, _itself):
            return
        children = node.children
        hints = frame.hints()
        for byte in children if hints is None else hints:
            child = children.get(byte)
            if child is not None:
                self._enter(frame.step(byte), child)

    def _each(self, frame: Either | Choice, node: Node) -> None:
        """Walks every option by itself: no frame is made for what only begins one."""
        if isinstance(frame, Either):
            for option in frame.frames:
                self._walk(option, node)
            return
        for text, then in frame.options:
            if (reached := self._along(text, frame.at, node)) is not None:
                self._walk(then(frame.doc), reached)

    def _along(self, text: bytes, at: int, node: Node) -> Node | None:
        """Adds the tokens along forced text; the node behind all of it, None where no token reaches so far."""
        for byte in text[at:]:
            child = node.children.get(byte)
            if child is None:
                return None
            if child.tokens:
                self.found += child.tokens
            node = child
        return node if node.children else None

    # --- open places -------------------------------------------------------------------------------------------------

    def _walk_open(self, frame: Frame, node: Node, wrap: Wrap) -> bool:
        """The same for a frame in which text or words are open; False where it is none of these.

        ``wrap`` makes the frame of the whole of one inside a template.
        """
        match frame:
            case Text() if not frame.begun:
                self._text(frame, node)
            case OpenWord() if frame.fresh:
                self._word(frame, node, wrap)
            case DynamicPath() if frame.typed != DYNAMIC:
                self._path(frame, node)
            case UrlText() if frame.is_even:
                self._url(frame, node)
            case InTemplate() if self._has_room(frame):
                inner, back, most, used = frame.inner, frame.back, frame.most, frame.used

                def wrapped(after: Frame | None) -> Frame | None:
                    # There is room for any token, so that the exact count only matters behind it.
                    return None if after is None else inside(after, used, most, back)

                return self._template(frame, inner, node, wrapped)
            case InTemplate():
                return self._tight_template(frame, node)
            case _:
                return False
        return True

    def _text(self, frame: Text, node: Node) -> None:
        """Tokens that stay in a text, and those that close it, open a template or end within a character."""
        longest = self.overlay.trie.longest
        scan = self.overlay.scans.text(node, templates=frame.template is not None, brace=frame.brace)
        self._add_within(scan, frame.most - frame.used, frame, frame)
        for byte, child in scan.at_once.items():
            self._enter(frame.step(byte), child)
        if frame.used + longest + frame.doc.plan.longest_read <= frame.most and frame.is_even(longest):
            # Far from the bound, and behind at least one character: what follows does not depend on how many.
            if self.gate is None:
                self.row |= self.recent.row(scan.later, frame.then, frame.doc, make=lambda: self._later(frame, scan))
                return
            inner = frame.at(frame.used + 1)
            for byte, child in scan.later.items():
                self._enter(inner.step(byte), child)
            return
        for size, exits in scan.by_length.items():
            if frame.used + size <= frame.most:
                for byte, child in exits.items():
                    self._enter(frame.at(frame.used + size).step(byte), child)

    def _later(self, frame: Text, scan: Scan) -> Row:
        """The tokens that leave a text behind some character of their own."""
        row: Row = np.zeros_like(self.row)
        filling = _Filling(self.overlay, row, None, self.recent)
        inner = frame.at(frame.used + 1)
        for byte, child in scan.later.items():
            filling._enter(inner.step(byte), child)
        add(row, filling.found)
        return row

    def _path(self, frame: DynamicPath, node: Node) -> None:
        """Tokens that stay in a segment of a path, and those that end it."""
        scan = self.overlay.scans.word(node, SEGMENT, b'/"', begun=frame.typed[-1] != "/")
        room = frame.doc.plan.max_text - len(frame.typed)
        self._add_within(scan, room, frame, frame)
        for byte, child in scan.at_once.items():
            self._enter(frame.step(byte), child)
        for size, exits in scan.by_length.items():
            if size <= room:
                for byte, child in exits.items():
                    self._enter(frame.longer(frame.some_segment(size)).step(byte), child)
        # Paths that lead back must go on; what ends them is judged by itself.
        for segment in frame.leading_back():
            if ways := scan.by_text.get(segment):
                self._forget(ways)
                for byte, child in ways:
                    self._enter(frame.longer(segment).step(byte), child)
            if len(segment) == room and (last := self._reached(node, segment)) is not None:
                remove(self.row, last.tokens)

    def _reached(self, node: Node, text: str) -> Node | None:
        at: Node | None = node
        for byte in text.encode():
            at = at.children.get(byte) if at is not None else None
        return at

    def _url(self, frame: UrlText, node: Node) -> None:
        """Tokens that stay in a URL-encoded text, and those that end it or begin an escape."""
        scan = self.overlay.scans.word(node, URL, b'%"&', begun=True)
        room = frame.room
        self._add_within(scan, room, frame, frame)
        for byte, child in scan.at_once.items():
            self._enter(frame.step(byte), child)
        for size, exits in scan.by_length.items():
            if size <= room:
                for byte, child in exits.items():
                    self._enter(frame.longer(size).step(byte), child)

    def _has_room(self, frame: InTemplate) -> bool:
        """Whether a template can be closed after any token."""
        return frame.used + self.overlay.trie.longest + frame.doc.plan.longest_read <= frame.most

    def _template(self, whole: InTemplate, inner: Frame, node: Node, wrap: Wrap) -> bool:
        scans, longest = self.overlay.scans, self.overlay.trie.longest
        match inner:
            case InnerText() if not inner.begun:
                scan = scans.inner(node)
                self._add_within(scan, longest, whole, inner)
                for exits in (scan.at_once, scan.later):
                    self._step_each(inner, exits, wrap)
            case Member() if inner.fields is None:
                scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.typed))
                self._add_within(scan, longest, whole, inner)
                self._step_each(inner, scan.at_once, wrap)
                if inner.is_open:
                    self._step_each(inner.base.deeper("a"), scan.later, wrap)
                    return True
                for text, byte, child in scan.leaving:
                    if text:
                        member = Member(inner.doc, inner.base, None, inner.typed + text)
                        self._enter(wrap(member.step(byte)), child)
            case Either() if self.gate is None:
                for option in inner.frames:
                    if not self._template(whole, option, node, wrap):
                        self._by_bytes(option, node, wrap)
            case Read() if self.gate is None:
                self._names(inner, node, wrap)
            case GuardedRead() if inner.is_open:
                scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.name))
                self._add_within(scan, longest, whole, inner)
                self._step_each(inner, scan.at_once, wrap)
                self._step_each(inner.named("zz"), scan.later, wrap)
                for name in inner.special:
                    if name.startswith(inner.name) and (ways := scan.by_text.get(name[len(inner.name) :])):
                        self._forget(ways)
                        for byte, child in ways:
                            self._enter(wrap(inner.named(name[len(inner.name) :]).step(byte)), child)
                if not inner.typed and (dollar := node.children.get(_DOLLAR)) is not None:
                    self._enter(wrap(inner.step(_DOLLAR)), dollar)
            case _:
                return False
        return True

    def _tight_template(self, whole: InTemplate, node: Node) -> bool:
        """The same near the bound of the text, where every character counts; False where bytes are tried instead."""
        inner, scans = whole.inner, self.overlay.scans
        match inner:
            case InnerText() if not inner.begun:
                after: Frame = inner
                scan = scans.inner(node)
            case Member() if inner.fields is None:
                scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.typed))
                after = Member(inner.doc, inner.base, None, f"{inner.typed}a")
            case GuardedRead() if inner.is_open:
                scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.name))
                after = inner.named("zz")
            case _:
                return False
        room = whole.most - whole.used - characters(closing(after)[0])
        self._add_within(scan, room, whole, inner)
        self._step_each(whole, scan.at_once, _itself)
        if isinstance(inner, Member) and not inner.is_open:
            for text, byte, child in scan.leaving:
                if text:
                    member = Member(inner.doc, inner.base, None, inner.typed + text)
                    self._enter(whole.moved(member, len(text)).step(byte), child)
            return True
        for size, exits in scan.by_length.items():
            self._step_each(whole.moved(after, size), exits, _itself)
        if isinstance(inner, GuardedRead):
            self._special_names(whole, inner, scan, node, room)
        return True

    def _special_names(self, whole: InTemplate, inner: GuardedRead, scan: Scan, node: Node, room: int) -> None:
        """Names in ``default(…)`` that may not be all of it: they need one more character."""
        for name in inner.special:
            text = name[len(inner.name) :]
            if not name.startswith(inner.name) or not text:
                continue
            if ways := scan.by_text.get(text):
                self._forget(ways)
                for byte, child in ways:
                    self._enter(whole.moved(inner.named(text), len(text)).step(byte), child)
            if len(text) == room and (last := self._reached(node, text)) is not None:
                remove(self.row, [] if whole.can_hold(inner.named(text), len(text)) else last.tokens)
        if not inner.typed and (dollar := node.children.get(_DOLLAR)) is not None:
            self._enter(whole.step(_DOLLAR), dollar)

    def _by_bytes(self, frame: Frame, node: Node, wrap: Wrap) -> None:
        """Steps byte by byte."""
        hints = frame.hints()
        for byte in node.children if hints is None else hints:
            if (child := node.children.get(byte)) is not None:
                self._enter(wrap(frame.step(byte)), child)

    def _names(self, frame: Read, node: Node, wrap: Wrap) -> None:
        """Tokens along names that may be read, and those that end one; no frame is asked inside a name."""
        if not frame.typed:
            self._all_names(frame, node, wrap)
            return
        roots = frame.env.roots
        ranges: list[tuple[int, int, Node]] = [(bisect_left(roots, frame.typed), len(frame.typed), node)]
        while ranges:
            at, size, node = ranges.pop()
            prefix = roots[at][:size] if at < len(roots) else ""
            children = node.children
            if at < len(roots) and roots[at] == prefix and size:
                whole = Read(frame.doc, frame.env, frame.end, frame.then, prefix)
                for byte in (*_STEPS, *frame.end):
                    if (child := children.get(byte)) is not None:
                        self._enter(wrap(whole.step(byte)), child)
                at += 1
            while at < len(roots) and roots[at].startswith(prefix):
                char = roots[at][size]
                if (below := children.get(ord(char))) is not None:
                    self.found += below.tokens
                    ranges.append((at, size + 1, below))
                at = bisect_left(roots, prefix + chr(ord(char) + 1), at)

    def _all_names(self, frame: Read, node: Node, wrap: Wrap) -> None:
        """The same where a name begins: what a name spells is known for each of them."""
        env, along = frame.env, self.overlay.scans.along
        for prefix, names in env.spellings:
            before, reached = along(node, prefix)
            self.found += before
            if reached is None:
                continue
            for name in names:
                tokens, end = along(reached, name)
                if tokens:
                    self.found += tokens
                if end is not None:
                    whole = Read(frame.doc, env, frame.end, frame.then, prefix + name)
                    for byte in (*_STEPS, *frame.end):
                        if (child := end.children.get(byte)) is not None:
                            self._enter(wrap(whole.step(byte)), child)

    def _step_each(self, frame: Frame, exits: Mapping[int, Node], wrap: Wrap) -> None:
        for byte, child in exits.items():
            self._enter(wrap(frame.step(byte)), child)

    def _add_within(self, scan: Scan, room: int, whole: Frame | None, open_frame: Frame) -> None:
        if self.gate is not None and whole is not None:
            room = min(room, self.gate.room(whole, open_frame))
        if room > 0:
            self.row |= scan.within[min(room, len(scan.within) - 1)]

    # --- words -------------------------------------------------------------------------------------------------------

    def _word(self, frame: OpenWord, node: Node, wrap: Wrap) -> None:
        """Tokens that stay in a word, and those that end it."""
        scan = self.overlay.scans.word(node, frame.alphabet, frame.end, begun=bool(frame.typed))
        room = frame.limit - len(frame.typed)
        alike = self.gate is None and frame.alike is not None and scan.longest < room
        if alike and frame.is_roomy and len(scan.within) <= room + 1 and self._is_plain(frame, scan):
            self.row |= self._anywhere(frame, scan, wrap)
            return
        self._add_within(scan, room, frame, frame)
        if not frame.is_roomy:
            self._exclude(frame, node)
        if self.gate is not None:
            self._towards_known(frame, node)
        if alike:
            self._leave_alike(frame, scan, wrap)
            return
        for text, byte, child in scan.leaving:
            self._leave_word(frame, text, byte, child, wrap)

    def _is_plain(self, frame: OpenWord, scan: Scan) -> bool:
        """Whether no token ends the word as one that is told from others."""
        typed, special = frame.typed, frame.special
        if not typed or typed in special:
            return False
        return not any(typed + text in special for text in scan.by_text)

    def _anywhere(self, frame: OpenWord, scan: Scan, wrap: Wrap) -> Row:
        """All tokens in the middle of a new word, which are the same after each of its characters."""

        def make() -> Row:
            return scan.inside | self._ending(frame, scan.later, wrap) | self._ending(frame, scan.at_once, wrap)

        return self.recent.row(scan, frame.then, frame.doc, make=make)

    def _leave_word(self, frame: OpenWord, text: str, byte: int, child: Node, wrap: Wrap) -> None:
        word = frame.typed + text
        if frame.is_word(word):
            self._enter(wrap(frame.then(frame.doc, word).step(byte)), child)

    def _leave_alike(self, frame: OpenWord, scan: Scan, wrap: Wrap) -> None:
        """The same where what follows one new word may follow any other that is not special."""
        if scan.later:
            self.row |= self._ending(frame, scan.later, wrap)
            for text, ways in scan.by_text.items():
                if text and frame.typed + text in frame.special:
                    self._judge_alone(frame, frame.typed + text, ways, wrap)
        if not scan.at_once or not frame.typed:
            return
        if frame.typed not in frame.special:
            self.row |= self._ending(frame, scan.at_once, wrap)
            return
        for byte, child in scan.at_once.items():
            self._leave_word(frame, "", byte, child, wrap)

    def _ending(self, frame: OpenWord, exits: Mapping[int, Node], wrap: Wrap) -> Row:
        """The tokens that end a new word, whichever it is."""

        def make() -> Row:
            row: Row = np.zeros_like(self.row)
            filling = _Filling(self.overlay, row, None, self.recent)
            after = self.recent.after(frame)
            for byte, child in exits.items():
                filling._enter(wrap(after.step(byte)), child)
            add(row, filling.found)
            return row

        return self.recent.row(exits, frame.then, frame.doc, make=make)

    def _judge_alone(self, frame: OpenWord, word: str, ways: Ways, wrap: Wrap) -> None:
        self._forget(ways)
        for byte, child in ways:
            self._leave_word(frame, word[len(frame.typed) :], byte, child, wrap)

    def _forget(self, ways: Ways) -> None:
        """Takes out what has been added of some tokens."""
        doubtful = {token for _, child in ways for token in _below(child)}
        self.found = [token for token in self.found if token not in doubtful]
        remove(self.row, doubtful)

    def _towards_known(self, frame: OpenWord, node: Node) -> None:
        """Tokens towards known words, which may be affordable where a new word is not."""
        for word in frame.known:
            at: Node | None = node
            for end in range(len(frame.typed), len(word)):
                at = at.children.get(ord(word[end])) if at is not None else None
                if at is None:
                    break
                if at.tokens:
                    self._find(at, frame.at(word[: end + 1]))

    def _exclude(self, frame: OpenWord, node: Node) -> None:
        """Takes the tokens out that would lead to a word from which none can come."""
        for word in frame.long_taken():
            if word.startswith(frame.typed.lower() if frame.any_case else frame.typed):
                self._exclude_towards(frame, node, frame.typed, word)

    def _exclude_towards(self, frame: OpenWord, node: Node, typed: str, word: str) -> None:
        if len(typed) == len(word):
            return
        char = word[len(typed)]
        for spelled in {char, char.upper()} if frame.any_case else {char}:
            if (child := node.children.get(ord(spelled))) is not None:
                if child.tokens and not frame.begins_word(typed + spelled):
                    remove(self.row, child.tokens)
                self._exclude_towards(frame, child, typed + spelled, word)


Wrap = Callable[["Frame | None"], "Frame | None"]
Ways = list[tuple[int, Node]]


def _itself(after: Frame | None) -> Frame | None:
    return after


def _below(node: Node) -> Iterable[int]:
    """All tokens at a node and below it."""
    yield from node.tokens
    children: Mapping[int, Node] = node.children
    for child in children.values():
        yield from _below(child)
