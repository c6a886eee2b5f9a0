"""Fills a row inside a template: names that are read, fields behind them, texts in its filters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from agentic_dsl.runtime.matcher.frames import Choice, Either, Fixed, Frame, Then, Words
from agentic_dsl.runtime.matcher.open_words import NAME
from agentic_dsl.runtime.matcher.scans import Scan
from agentic_dsl.runtime.matcher.templates import GuardedRead, InnerText, Member, Read
from agentic_dsl.runtime.matcher.texts import InTemplate, characters, closing
from agentic_dsl.runtime.matcher.tree_walk import TreeWalk, Wrap, itself, node_behind
from agentic_dsl.runtime.matcher.vocabulary_trie import Node, remove

_AFTER_NAME = b" ),.["
"""What may follow a name in a template."""

_STEPS = b".["
_DOLLAR = ord("$")


def has_room(frame: InTemplate, longest: int) -> bool:
    """Whether a template can be closed after any token; the longest has so many bytes."""
    return frame.used + longest + frame.doc.plan.longest_read <= frame.most


def fill_template(filling: TreeWalk, whole: InTemplate, inner: Frame, node: Node, wrap: Wrap) -> bool:
    """Adds tokens in a template with room for any; False for what is not looked up.

    Args:
        filling: gains them.
        whole: the frame of the text.
        inner: the frame within the template, or an option of it.
        node: where in the vocabulary's tree.
        wrap: makes the frame of the text of one within the template.
    """
    scans, longest = filling.scans, filling.scans.trie.longest
    match inner:
        case InnerText() if not inner.begun:
            scan = scans.inner(node)
            filling.add_within(scan, longest, whole, inner)
            for exits in (scan.at_once, scan.later):
                filling.step_each(inner, exits, wrap)
        case Member() if inner.fields is None:
            scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.typed))
            filling.add_within(scan, longest, whole, inner)
            filling.step_each(inner, scan.at_once, wrap)
            if inner.is_open:
                filling.step_each(inner.base.deeper("a"), scan.later, wrap)
                return True
            for text, byte, child in scan.leaving:
                if text:
                    member = Member(inner.doc, inner.base, None, inner.typed + text)
                    filling.enter(wrap(member.step(byte)), child)
        case Either() if filling.gate is None:
            for option in inner.frames:
                if not fill_template(filling, whole, option, node, wrap):
                    filling.by_bytes(option, node, wrap)
        case Fixed() if filling.gate is None:
            _follow(filling, inner, [inner.text], inner.at, node, inner.then, wrap)
        case Choice() if filling.gate is None:
            for way, then in inner.options:
                _follow(filling, inner, [way], inner.at, node, then, wrap)
        case Words() if filling.gate is None:
            _follow(filling, inner, inner.left(), len(inner.typed), node, inner.then, wrap)
        case Read() if filling.gate is None:
            _names(filling, inner, node, wrap)
        case GuardedRead() if inner.is_open:
            scan = scans.word(node, NAME, _AFTER_NAME, begun=bool(inner.name))
            filling.add_within(scan, longest, whole, inner)
            filling.step_each(inner, scan.at_once, wrap)
            filling.step_each(inner.named("zz"), scan.later, wrap)
            for name in inner.special:
                if name.startswith(inner.name) and (ways := scan.by_text.get(name[len(inner.name) :])):
                    filling.forget(ways)
                    for byte, child in ways:
                        filling.enter(wrap(inner.named(name[len(inner.name) :]).step(byte)), child)
            if not inner.typed and (dollar := node.children.get(_DOLLAR)) is not None:
                filling.enter(wrap(inner.step(_DOLLAR)), dollar)
        case _:
            return False
    return True


def _follow(
    filling: TreeWalk, inner: Frame, texts: Sequence[bytes], at: int, node: Node, then: Then, wrap: Wrap
) -> None:
    """Tokens along texts from some byte on, and those that run on into what follows them; no frame is made within."""
    for text in texts:
        if (reached := filling.along(text, at, node)) is None:
            continue
        if (after := wrap(then(inner.doc))) is not None:
            filling.walk(after, reached)


def fill_tight_template(filling: TreeWalk, whole: InTemplate, node: Node) -> bool:
    """The same near the bound of the text, where every character counts; False where bytes are tried instead."""
    inner, scans = whole.inner, filling.scans
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
    filling.add_within(scan, room, whole, inner)
    filling.step_each(whole, scan.at_once, itself)
    if isinstance(inner, Member) and not inner.is_open:
        for text, byte, child in scan.leaving:
            if text:
                member = Member(inner.doc, inner.base, None, inner.typed + text)
                filling.enter(whole.moved(member, len(text)).step(byte), child)
        return True
    for size, exits in scan.by_length.items():
        filling.step_each(whole.moved(after, size), exits, itself)
    if isinstance(inner, GuardedRead):
        _special_names(filling, whole, inner, scan, node, room)
    return True


def _special_names(filling: TreeWalk, whole: InTemplate, inner: GuardedRead, scan: Scan, node: Node, room: int) -> None:
    """Names in ``default(…)`` that may not be all of it: they need one more character."""
    for name in inner.special:
        text = name[len(inner.name) :]
        if not name.startswith(inner.name) or not text:
            continue
        if ways := scan.by_text.get(text):
            filling.forget(ways)
            for byte, child in ways:
                filling.enter(whole.moved(inner.named(text), len(text)).step(byte), child)
        if len(text) == room and (last := node_behind(node, text)) is not None:
            remove(filling.row, [] if whole.can_hold(inner.named(text), len(text)) else last.bits)
    if not inner.typed and (dollar := node.children.get(_DOLLAR)) is not None:
        filling.enter(whole.step(_DOLLAR), dollar)


def _names(filling: TreeWalk, frame: Read, node: Node, wrap: Wrap) -> None:
    """Tokens along names that may be read, and those that end one; no frame is asked inside a name."""
    if not frame.typed:
        _all_names(filling, frame, node, wrap)
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
                    filling.enter(wrap(whole.step(byte)), child)
            at += 1
        while at < len(roots) and roots[at].startswith(prefix):
            char = roots[at][size]
            if (below := children.get(ord(char))) is not None:
                filling.found += below.bits
                ranges.append((at, size + 1, below))
            at = bisect_left(roots, prefix + chr(ord(char) + 1), at)


def _all_names(filling: TreeWalk, frame: Read, node: Node, wrap: Wrap) -> None:
    """The same where a name begins: what a name spells is known for each of them."""
    env, along = frame.env, filling.scans.along
    for prefix, names in env.spellings:
        before, reached = along(node, prefix)
        filling.found += before
        if reached is None:
            continue
        for name in names:
            along_it, end = along(reached, name)
            if along_it:
                filling.found += along_it
            if end is not None:
                whole = Read(frame.doc, env, frame.end, frame.then, prefix + name)
                for byte in (*_STEPS, *frame.end):
                    if (child := end.children.get(byte)) is not None:
                        filling.enter(wrap(whole.step(byte)), child)
