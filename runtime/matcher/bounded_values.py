"""Values of arguments: numbers, texts and lists within the bounds that a tool's schema sets.

Where a schema sets none, the frames are those of `values`. A text with a template in it is held to no bound but that
of all texts, as the check does not know how long it will be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.argument_values import Allowed, ListRange
from agentic_dsl.compiler.grammar.call_rules import LIST, NUMBER, PLAIN, TEMPLATE, TEXT, ValueClass
from agentic_dsl.compiler.grammar.number_ranges import NumberRange, number_end
from agentic_dsl.compiler.grammar.printing import print_value
from agentic_dsl.runtime.matcher.bounded_texts import bounded_text
from agentic_dsl.runtime.matcher.frames import Done, Fixed, Frame, Option, Then, Words, choice, either
from agentic_dsl.runtime.matcher.templates import template
from agentic_dsl.runtime.matcher.texts import whole_template
from agentic_dsl.runtime.matcher.values import Number

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.catalogue import PlannedParameter
    from agentic_dsl.runtime.matcher.state import Draft

Ways = Callable[[ValueClass], Then | None]
"""What follows a value of a class (see `call_rules`), None where none may stand there."""


def argument_value(doc: Draft, parameter: PlannedParameter, ways: Ways) -> Frame:
    """A value of an argument, of one of the classes that have a way on; there is one."""
    frames = _scalars(doc, parameter.allowed, ways, filled=parameter.filled)
    frames += _words(doc, parameter.literals, ways)
    lists = parameter.allowed.lists
    if lists and (then := ways(LIST)) is not None:
        frames.append(Fixed(doc, b"[", lambda doc: _lists(doc, lists, then)))
    return either(frames)


def _words(doc: Draft, literals: Sequence[bytes], ways: Ways) -> list[Frame]:
    """The enumerated values, by what follows them."""
    by_way: dict[int, tuple[Then, list[bytes]]] = {}
    for number, text in enumerate(literals):
        if (then := ways(number)) is not None:
            by_way.setdefault(id(then), (then, []))[1].append(text)
    return [Words(doc, tuple(sorted(words)), then) for then, words in by_way.values()]


def _scalars(doc: Draft, allowed: Allowed, ways: Ways, *, filled: bool) -> list[Frame]:
    """Every way to write a scalar; the policy takes the first. ``filled`` where a template may stand within a text."""
    frames: list[Frame] = []
    if allowed.numbers and (then := ways(NUMBER)) is not None:
        frames.append(number(doc, allowed.numbers, then))
    if allowed.words and (then := ways(PLAIN)) is not None:
        frames.append(Words(doc, tuple(sorted(print_value(word).encode() for word in allowed.words)), then))
    literal = ways(TEXT) if allowed.texts else None
    after_template = ways(TEMPLATE)
    inner = None
    if after_template is not None:
        inner = whole_template(doc, template(doc.node.env), doc.plan.max_text, after_template)
    if literal is not None or (filled and inner is not None):
        ranges = allowed.texts if literal is not None else ()
        then = literal or after_template
        assert then is not None  # one of the two is there
        text = partial(bounded_text, ranges=ranges, then=then, filled=after_template)
        frames.append(Fixed(doc, b'"', lambda doc: text(doc)))
    elif inner is not None:
        frames.append(Fixed(doc, b'"', lambda _: inner))
    return frames


# --- numbers ---------------------------------------------------------------------------------------------------------


def number(doc: Draft, ranges: tuple[NumberRange, ...], then: Then) -> Frame:
    """A number within one of some ranges, of which one holds some number."""
    if any(one.is_free and not one.whole for one in ranges):
        return Number(doc, then, fractions=True)
    if all(one.is_free for one in ranges):
        return Number(doc, then, fractions=False)
    end = number_end("", ranges)
    assert end is not None  # ranges without a number have been dropped
    return BoundedNumber(doc, then, ranges, "", end)


class BoundedNumber(Frame):
    """A number within bounds.

    Attributes:
        ranges: those of which it must be within one.
        end: the shortest end that makes such a number of what is typed.
    """

    __slots__ = ("end", "ranges", "then", "typed")

    def __init__(self, doc: Draft, then: Then, ranges: tuple[NumberRange, ...], typed: str, end: str) -> None:
        super().__init__(doc)
        self.then, self.ranges, self.typed, self.end = then, ranges, typed, end

    def step(self, byte: int) -> Frame | None:
        """One more character, or what follows a whole number."""
        longer = self.typed + chr(byte)
        if byte in _NUMBER_BYTES:
            # What the policy would write stays what it would write.
            follows = bool(self.end) and self.end[0] == chr(byte)
            end = self.end[1:] if follows else number_end(longer, self.ranges)
            if end is not None:
                return BoundedNumber(self.doc, self.then, self.ranges, longer, end)
        return self.then(self.doc).step(byte) if not self.end else None

    def hints(self) -> frozenset[int] | None:
        """The characters of numbers, and what may follow one."""
        after = self.then(self.doc).hints() if not self.end else frozenset()
        return None if after is None else _NUMBER_BYTES | after

    def policy(self) -> tuple[bytes, Frame]:
        """The shortest end of the number."""
        return self.end.encode(), self.then(self.doc)


_NUMBER_BYTES = frozenset(b"-.0123456789")


# --- lists -----------------------------------------------------------------------------------------------------------


def _lists(doc: Draft, lists: tuple[ListRange, ...], then: Then) -> Frame:
    """A list of one of some sorts, after its opening bracket."""
    if len(lists) == 1:
        return _opened(doc, lists[0], then)
    return Merged(doc, tuple(_opened(doc, one, Done) for one in lists), then)


class Merged(Frame):
    """Several ways to read one list, which all end where it ends, so that there is one way on from there."""

    __slots__ = ("frames", "then")

    def __init__(self, doc: Draft, frames: tuple[Frame, ...], then: Then) -> None:
        super().__init__(doc)
        self.frames, self.then = frames, then

    def step(self, byte: int) -> Frame | None:
        """The byte with which one of them goes on."""
        left = tuple(after for frame in self.frames if (after := frame.step(byte)) is not None)
        if not left:
            return None
        return self.then(self.doc) if left[0].is_final else Merged(self.doc, left, self.then)

    def hints(self) -> frozenset[int] | None:
        """Those of all ways."""
        return either(self.frames).hints()

    def policy(self) -> tuple[bytes, Frame]:
        """What the first way writes."""
        text, after = self.frames[0].policy()
        return text, self.then(self.doc) if after.is_final else Merged(self.doc, (after,), self.then)


class _Items:
    """Where one list stands: how many items it has, and for a list without repetitions which are left."""

    __slots__ = ("count", "left", "one", "templates", "then")

    def __init__(self, one: ListRange, then: Then, left: tuple[bytes, ...], count: int, *, templates: bool) -> None:
        self.one, self.then, self.left, self.count, self.templates = one, then, left, count, templates

    def plus(self, word: bytes | None) -> _Items:
        left = self.left if word is None else tuple(other for other in self.left if other != word)
        return _Items(self.one, self.then, left, self.count + 1, templates=self.templates)

    @property
    def has_room(self) -> bool:
        """Whether there may be another item."""
        one = self.one
        if one.high is not None and self.count >= one.high:
            return False
        if self.templates:
            return True
        return bool(self.left) if one.unique and self.count else not one.items.is_empty

    @property
    def may_end(self) -> bool:
        return self.count >= self.one.low

    @property
    def takes_single(self) -> bool:
        """Whether a list without repetitions may be a single item that is none of the enumerated ones."""
        return self.count == 0 and self.one.low <= 1


def _opened(doc: Draft, one: ListRange, then: Then) -> Frame:
    fits = whole_template(doc, template(doc.node.env), doc.plan.max_text, then) is not None
    left = tuple(sorted(print_value(word).encode() for word in one.items.words))
    at = _Items(one, then, left, 0, templates=fits)
    frames: list[Frame] = [Fixed(doc, b"]", then)] if at.may_end else []
    if at.has_room:
        frames += _item(doc, at)
    return either(frames)


def _item(doc: Draft, at: _Items) -> list[Frame]:
    """Every way to write the next item."""
    after: Then = partial(_after_item, at.plus(None))
    if not at.one.unique:
        return _scalars(doc, at.one.items, lambda _: after, filled=bool(at.one.items.texts))
    closed: Then = lambda doc: Fixed(doc, b"]", at.then)  # noqa: E731
    free = Allowed(numbers=at.one.items.numbers, texts=at.one.items.texts) if at.takes_single else Allowed()
    # Enumerated items are told from each other, so that none comes twice; a template may be anything.
    frames: list[Frame] = [Words(doc, (word,), partial(_after_item, at.plus(word))) for word in at.left]
    return frames + _scalars(doc, free, lambda value: after if value == TEMPLATE else closed, filled=bool(free.texts))


def _after_item(at: _Items, doc: Draft) -> Frame:
    options: list[Option] = [(b"]", at.then)] if at.may_end else []
    if at.has_room:
        options.append((b", ", lambda doc: either(_item(doc, at))))
    return choice(doc, options)
