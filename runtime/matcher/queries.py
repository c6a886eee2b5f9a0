"""The query of a library call: inputs by name, in the order of its signature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from agentic_dsl.runtime.matcher.frames import Choice, Fixed, Frame, Option, Then, Words, either
from agentic_dsl.runtime.matcher.open_words import Alphabet
from agentic_dsl.runtime.matcher.templates import read_template
from agentic_dsl.runtime.matcher.texts import Closed, inside

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.plan import PlannedCall
    from agentic_dsl.runtime.matcher.state import Draft

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-")
_NUMBER_BYTES = frozenset(b"-.0123456789")
_HEX = b"0123456789ABCDEF"
_BOOLEANS = (b"false", b"true")


def query(doc: Draft, call: PlannedCall, then: Then) -> Frame:
    """Behind the path of a call: its query, the closing quote, and what follows."""
    return Choice(doc, _ways(doc, call, 0, then, b"?"))


def _ways(doc: Draft, call: PlannedCall, at: int, then: Then, mark: bytes) -> list[Option]:
    """The closing quote, and every input that may come next: none that is required and not there is left out."""
    ways: list[Option] = []
    for number in range(at, len(call.inputs)):
        name, kind, required = call.inputs[number]
        if has_literal(kind, doc.plan.max_text):
            ways.append((mark + name.encode() + b"=", partial(_value, call, number, then)))
        if required and name not in doc.node.delivered:
            return ways
    return [(b'"', then), *ways]


def can_call(call: PlannedCall, doc: Draft) -> bool:
    """Whether a call can get all that it requires."""
    most = doc.plan.max_text
    return all(
        not required or name in doc.node.delivered or has_literal(kind, most) for name, kind, required in call.inputs
    )


def has_literal(kind: str, most: int) -> bool:
    """Whether a literal of a type fits into a text of at most ``most`` characters."""
    return kind != "boolean" or most >= min(map(len, _BOOLEANS))


def _value(call: PlannedCall, number: int, then: Then, doc: Draft) -> Frame:
    """The value of an input: a literal of its type, or one read in a template."""
    after: Then = lambda doc: _after_value(call, number, then, doc)  # noqa: E731  # a continuation
    most = doc.plan.max_text
    kind = call.inputs[number][1]
    frames: list[Frame] = []
    if kind == "boolean":
        frames.append(Words(doc, tuple(word for word in _BOOLEANS if len(word) <= most), after))
    elif kind in ("integer", "number"):
        frames.append(QueryNumber(doc, after, most, fractions=kind == "number"))
    else:
        frames.append(UrlText(doc, after, most))
    opened = Fixed(doc, b"{{", lambda doc: read_template(doc.node.delivered)(doc, lambda doc: Closed(doc)))
    if (inner := inside(opened, 0, most, lambda _: after(doc))) is not None:
        frames.append(inner)
    return either(frames)


def _after_value(call: PlannedCall, number: int, then: Then, doc: Draft) -> Frame:
    return Choice(doc, _ways(doc, call, number + 1, then, b"&"))


_SAFE_CHARACTERS = "".join(sorted(map(chr, _SAFE)))
URL = Alphabet(_SAFE_CHARACTERS, _SAFE_CHARACTERS)
"""The characters of a URL-encoded text that stand for themselves."""


class UrlText(Frame):
    """URL-encoded text, not empty. What it decodes to is UTF-8; a brace that is escaped opens no template."""

    __slots__ = ("escape", "most", "then", "typed")

    def __init__(self, doc: Draft, then: Then, most: int, typed: bytes = b"", escape: bytes = b"") -> None:
        """``typed`` is what has been decoded, ``escape`` the beginning of an escape."""
        super().__init__(doc)
        self.then, self.most, self.typed, self.escape = then, most, typed, escape

    def step(self, byte: int) -> Frame | None:
        """One more byte of the value, or what follows it."""
        if self.escape:
            return self._escaped(byte)
        whole = _is_text(self.typed)
        if byte == 0x25:
            can_go_on = not whole or len(self.typed.decode()) < self.most
            return UrlText(self.doc, self.then, self.most, self.typed, b"%") if can_go_on else None
        if not whole:
            return None
        if byte in _SAFE:
            if len(self.typed.decode()) >= self.most:
                return None
            return UrlText(self.doc, self.then, self.most, self.typed + bytes((byte,)))
        return self.then(self.doc).step(byte) if self.typed else None

    @property
    def is_even(self) -> bool:
        """Whether no escape and no character is begun."""
        return not self.escape and _is_text(self.typed)

    @property
    def room(self) -> int:
        """How many characters more may follow where no character is begun."""
        return self.most - len(self.typed.decode())

    def longer(self, more: int) -> UrlText:
        """The frame after so many characters that stand for themselves."""
        return UrlText(self.doc, self.then, self.most, self.typed + b"a" * more)

    def _escaped(self, byte: int) -> Frame | None:
        if byte not in _HEX:
            return None
        escape = self.escape + bytes((byte,))
        if len(escape) < 3:
            if any(_may_follow(self.typed, unquote_to_bytes(escape + bytes((last,)))) for last in _HEX):
                return UrlText(self.doc, self.then, self.most, self.typed, escape)
            return None
        char = unquote_to_bytes(escape)
        return UrlText(self.doc, self.then, self.most, self.typed + char) if _may_follow(self.typed, char) else None

    def policy(self) -> tuple[bytes, Frame]:
        """The shortest end of the value."""
        end, typed = b"", self.typed
        if self.escape:
            char = next(
                escape
                for digits in _PAIRS
                if (escape := b"%" + digits).startswith(self.escape) and _may_follow(typed, unquote_to_bytes(escape))
            )
            end, typed = char[len(self.escape) :], typed + unquote_to_bytes(char)
        while not _is_text(typed):
            digits = next(digits for digits in _PAIRS if _may_follow(typed, unquote_to_bytes(b"%" + digits)))
            end, typed = end + b"%" + digits, typed + unquote_to_bytes(b"%" + digits)
        return end if typed else b"0", self.then(self.doc)


_PAIRS = tuple(bytes((high, low)) for high in _HEX for low in _HEX)


def _is_text(typed: bytes) -> bool:
    try:
        typed.decode()
    except UnicodeDecodeError:
        return False
    return True


def _may_follow(typed: bytes, char: bytes) -> bool:
    """Whether a decoded byte may come next: UTF-8 that is whole or can become so."""
    try:
        (typed + char).decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


class QueryNumber(Frame):
    """A number in a query."""

    __slots__ = ("fractions", "most", "then", "typed")

    def __init__(self, doc: Draft, then: Then, most: int, *, fractions: bool, typed: str = "") -> None:
        super().__init__(doc)
        self.then, self.most, self.fractions, self.typed = then, most, fractions, typed

    def step(self, byte: int) -> Frame | None:
        """One more character, or what follows the number."""
        char, typed = chr(byte), self.typed
        more = partial(QueryNumber, self.doc, self.then, self.most, fractions=self.fractions)
        room = self.most - len(typed)
        if char == "-" and not typed:
            return more(typed="-") if room > 1 else None
        if byte < 0x80 and char.isdigit():
            return more(typed=typed + char) if room > 0 else None
        if not typed or not typed[-1].isdigit():
            return None
        if char == ".":
            return more(typed=f"{typed}.") if self.fractions and "." not in typed and room > 1 else None
        return self.then(self.doc).step(byte)

    def hints(self) -> frozenset[int] | None:
        """The characters of numbers, and what may follow one."""
        after = self.then(self.doc).hints() if self.typed[-1:].isdigit() else frozenset()
        return None if after is None else _NUMBER_BYTES | after

    def policy(self) -> tuple[bytes, Frame]:
        """The shortest end of the number."""
        return b"" if self.typed[-1:].isdigit() else b"0", self.then(self.doc)
