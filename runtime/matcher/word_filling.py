"""Fills a row where a word is open: an id, a key, a name."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.scans import Scan
from agentic_dsl.runtime.matcher.tree_walk import TreeWalk, Ways, Wrap
from agentic_dsl.runtime.matcher.vocabulary_trie import Node, Row, remove


def fill_word(filling: TreeWalk, frame: OpenWord, node: Node, wrap: Wrap) -> None:
    """Adds tokens that stay in a word, and those that end it."""
    scan = filling.scans.word(node, frame.alphabet, frame.end, begun=bool(frame.typed))
    room = frame.limit - len(frame.typed)
    alike = filling.gate is None and frame.alike is not None and scan.longest < room
    if alike and frame.is_roomy and _is_plain(frame, scan):
        filling.row |= _anywhere(filling, frame, scan, room, wrap)
        return
    filling.add_within(scan, room, frame, frame)
    if not frame.is_roomy:
        _exclude(filling.row, frame, node)
    if filling.gate is not None:
        _towards_known(filling, frame, node)
    if alike:
        _leave_alike(filling, frame, scan, wrap)
        return
    for text, byte, child in scan.leaving:
        _leave_word(filling, frame, text, byte, child, wrap)


def _is_plain(frame: OpenWord, scan: Scan) -> bool:
    """Whether no token ends the word as one that is told from others."""
    typed, special = frame.typed, frame.special
    if not typed or typed in special:
        return False
    return not any(typed + text in special for text in scan.by_text)


def _anywhere(filling: TreeWalk, frame: OpenWord, scan: Scan, room: int, wrap: Wrap) -> Row:
    """All tokens in the middle of a new word: the same after each of its characters, but for the longest of them."""
    inside = scan.within[min(room, len(scan.within) - 1)]

    def make() -> Row:
        row = filling.row_of(filling.recent.after(frame), scan.anywhere, wrap)
        row |= inside
        return row

    return filling.recent.row(inside, scan, frame.then, frame.doc, make=make)


def _leave_word(filling: TreeWalk, frame: OpenWord, text: str, byte: int, child: Node, wrap: Wrap) -> None:
    word = frame.typed + text
    if frame.is_word(word):
        filling.enter(wrap(frame.then(frame.doc, word).step(byte)), child)


def _leave_alike(filling: TreeWalk, frame: OpenWord, scan: Scan, wrap: Wrap) -> None:
    """The same where what follows one new word may follow any other that is not special."""
    if scan.later:
        filling.row |= _ending(filling, frame, scan.later, wrap)
        for text, ways in scan.by_text.items():
            if text and frame.typed + text in frame.special:
                _judge_alone(filling, frame, frame.typed + text, ways, wrap)
    if not scan.at_once or not frame.typed:
        return
    if frame.typed not in frame.special:
        filling.row |= _ending(filling, frame, scan.at_once, wrap)
        return
    for byte, child in scan.at_once.items():
        _leave_word(filling, frame, "", byte, child, wrap)


def _ending(filling: TreeWalk, frame: OpenWord, exits: Mapping[int, Node], wrap: Wrap) -> Row:
    """The tokens that end a new word, whichever it is."""

    def make() -> Row:
        return filling.row_of(filling.recent.after(frame), exits, wrap)

    return filling.recent.row(exits, frame.then, frame.doc, make=make)


def _judge_alone(filling: TreeWalk, frame: OpenWord, word: str, ways: Ways, wrap: Wrap) -> None:
    filling.forget(ways)
    for byte, child in ways:
        _leave_word(filling, frame, word[len(frame.typed) :], byte, child, wrap)


def _towards_known(filling: TreeWalk, frame: OpenWord, node: Node) -> None:
    """Tokens towards known words, which may be affordable where a new word is not."""
    for word in frame.known:
        at: Node | None = node
        for end in range(len(frame.typed), len(word)):
            at = at.children.get(ord(word[end])) if at is not None else None
            if at is None:
                break
            if at.tokens:
                filling.find(at, frame.at(word[: end + 1]))


def _exclude(row: Row, frame: OpenWord, node: Node) -> None:
    """Takes the tokens out that would lead to a word from which none can come."""
    for word in frame.long_taken():
        if word.startswith(frame.typed.lower() if frame.any_case else frame.typed):
            _exclude_towards(row, frame, node, frame.typed, word)


def _exclude_towards(row: Row, frame: OpenWord, node: Node, typed: str, word: str) -> None:
    if len(typed) == len(word):
        return
    char = word[len(typed)]
    for spelled in {char, char.upper()} if frame.any_case else {char}:
        if (child := node.children.get(ord(spelled))) is not None:
            if child.tokens and not frame.begins_word(typed + spelled):
                remove(row, child.bits)
            _exclude_towards(row, frame, child, typed + spelled, word)
