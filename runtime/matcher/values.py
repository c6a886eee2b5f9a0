"""Values on one line: constants, numbers, texts, templates, lists of scalars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.value_rules import Shape
from agentic_dsl.runtime.matcher.frames import Choice, Fixed, Frame, Then, Words, either
from agentic_dsl.runtime.matcher.templates import template
from agentic_dsl.runtime.matcher.texts import Text, whole_template

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

_NUMBER_BYTES = frozenset(b"-.0123456789")
_INTEGER_DIGITS, _SHORT_DIGITS, _FRACTION_DIGITS = 15, 9, 6


class Number(Frame):
    """A number of the generated layout: at most 15 digits, which every reader holds exactly."""

    __slots__ = ("fractions", "then", "typed")

    def __init__(self, doc: Draft, then: Then, *, fractions: bool, typed: str = "") -> None:
        super().__init__(doc)
        self.then, self.fractions, self.typed = then, fractions, typed

    def step(self, byte: int) -> Frame | None:
        """One more character, or what follows a whole number."""
        longer = self.typed + chr(byte)
        if _begins_number(longer, self.fractions):
            return Number(self.doc, self.then, fractions=self.fractions, typed=longer)
        return self.then(self.doc).step(byte) if _is_number(self.typed, self.fractions) else None

    def hints(self) -> frozenset[int] | None:
        """The characters of numbers, and what may follow one."""
        after = self.then(self.doc).hints() if _is_number(self.typed, self.fractions) else frozenset()
        return None if after is None else _NUMBER_BYTES | after

    def policy(self) -> tuple[bytes, Frame]:
        """The shortest end of the number."""
        return number_end(self.typed, self.fractions).encode(), self.then(self.doc)

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        end = number_end(self.typed, self.fractions).encode()
        return end, (id(self.then), id(self.doc)), lambda: self.then(self.doc)


def _is_number(text: str, fractions: bool) -> bool:
    whole, point, fraction = text.partition(".")
    digits = whole.removeprefix("-")
    if not digits.isdigit() or not digits.isascii() or (digits[0] == "0" and digits != "0"):
        return False
    if not point:
        return text != "-0" and len(digits) <= _INTEGER_DIGITS
    if not fractions or not fraction.isdigit() or not fraction.isascii():
        return False
    if fraction == "0":
        return whole != "-0" and len(digits) <= _INTEGER_DIGITS
    return fraction[-1] != "0" and len(fraction) <= _FRACTION_DIGITS and len(digits) <= _SHORT_DIGITS


def _begins_number(text: str, fractions: bool) -> bool:
    return any(_is_number(text + end, fractions) for end in _ENDS)


_ENDS = ("", "0", "1", ".0", ".1")
"""Every beginning of a number becomes one with one of these behind it."""


def number_end(typed: str, fractions: bool) -> str:
    """The shortest text that makes a whole number of a beginning."""
    return next(end for end in _ENDS if _is_number(typed + end, fractions))


def value(doc: Draft, shape: Shape, then: Then, *, literals: tuple[bytes, ...] = (), templates: bool = True) -> Frame:
    """A value of a shape, or one of the printed literals, or one template; then what follows it."""
    frames = _scalars(doc, shape, then, literals, templates)
    if shape.items is not None:
        frames.append(Fixed(doc, b"[", partial(_list, shape.items, then, templates)))
    return either(frames)


def _scalars(doc: Draft, shape: Shape, then: Then, literals: tuple[bytes, ...], templates: bool) -> list[Frame]:
    """Every way to write a scalar; the policy takes the first."""
    frames: list[Frame] = []
    most = doc.plan.max_text
    open_template = template(doc.node.env)
    if "number" in shape.kinds or "integer" in shape.kinds:
        frames.append(Number(doc, then, fractions="number" in shape.kinds))
    words = set(literals)
    if "null" in shape.kinds:
        words.add(b"null")
    if "boolean" in shape.kinds:
        words |= {b"false", b"true"}
    if words:
        frames.append(Words(doc, tuple(sorted(words)), then))
    if "string" in shape.kinds:
        text = partial(Text, then=then, most=most, template=open_template if templates else None)
        frames.append(Fixed(doc, b'"', lambda doc: text(doc)))
    elif templates and (inner := whole_template(doc, open_template, most, then)) is not None:
        frames.append(Fixed(doc, b'"', lambda _: inner))
    return frames


def _list(item: Shape, then: Then, templates: bool, doc: Draft) -> Frame:
    """A list after its opening bracket."""
    items = _item(item, then, templates, doc)
    close = Fixed(doc, b"]", then)
    return either([close, *([items] if items is not None else [])])


def _item(item: Shape, then: Then, templates: bool, doc: Draft) -> Frame | None:
    frames = _scalars(doc, item, partial(_more, item, then, templates), _printed(item, doc), templates)
    return either(frames) if frames else None


def _printed(item: Shape, doc: Draft) -> tuple[bytes, ...]:
    from agentic_dsl.compiler.grammar.printing import print_value
    from agentic_dsl.compiler.grammar.value_rules import is_writable

    room = doc.plan.max_text
    kept = [v for v in item.literals if is_writable(v) and not (isinstance(v, str) and len(v) > room)]
    return tuple(sorted({print_value(v).encode() for v in kept}))


def _more(item: Shape, then: Then, templates: bool, doc: Draft) -> Frame:
    """Behind an item of a list."""

    def another(doc: Draft) -> Frame:
        frame = _item(item, then, templates, doc)
        assert frame is not None  # there was an item, and nothing has changed since
        return frame

    return Choice(doc, [(b"]", then), (b", ", another)])
