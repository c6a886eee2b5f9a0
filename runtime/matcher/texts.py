"""Free text between quotes: characters, escapes, templates, and a bound on the number of characters.

The bound is on the text as it is read: an escape counts as one character. A template may only be opened where the
shortest one fits, and goes on only as long as the shortest way to close it does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING

from agentic_dsl.runtime.matcher.frames import Fixed, Frame, Then

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

_ESCAPES = tuple(
    sorted(
        [
            *(f"\\{char}" for char in '"\\nrt'),
            *(f"\\u000{digit}" for digit in "012345678bcef"),
            *(f"\\u001{digit}" for digit in "0123456789abcdef"),
            "\\u007f",
            *(f"\\u00{high}{low}" for high in "89" for low in "0123456789abcdef"),
        ]
    )
)
_ESCAPE_BYTES = tuple(escape.encode() for escape in _ESCAPES)
_SHORTEST_ESCAPE = b"\\n"

_QUOTE, _BACKSLASH, _OPEN, _PERCENT, _HASH = b'"\\{%#'

_ORDINARY = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\{')
"""Characters of one byte that mean only themselves."""

_SECOND: dict[int, tuple[int, int]] = {0xC2: (0xA0, 0xBF), 0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F)}
_SECOND |= {0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""Where the second byte of a character is narrower than usual; C2 without the C1 controls."""


def more_bytes(begun: bytes) -> tuple[int, int] | None:
    """The range of the byte after the first bytes of a character, None where these are no character's."""
    lead = begun[0]
    if not 0xC2 <= lead <= 0xF4:
        return None
    if len(begun) == 1:
        return _SECOND.get(lead, (0x80, 0xBF))
    if begun == b"\xef\xbf":
        return 0x80, 0xBD  # not the two non-characters
    return 0x80, 0xBF


def length_of(lead: int) -> int:
    """The number of bytes of a character, by its first."""
    return 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


OpenTemplate = Callable[["Draft", Then], Frame]
"""What follows ``{{``, given what follows ``}}``."""


class Text(Frame):
    """Text after its opening quote.

    Attributes:
        used: characters so far.
        least: the fewest characters.
        most: the most.
        template: what follows ``{{``, None where braces mean nothing.
        then: what follows the closing quote.
        brace: whether the last character is a lone ``{``.
        begun: the first bytes of an escape or of a character of several bytes.
    """

    __slots__ = ("begun", "brace", "least", "most", "template", "then", "used")

    def __init__(
        self,
        doc: Draft,
        then: Then,
        *,
        most: int,
        least: int = 0,
        template: OpenTemplate | None = None,
        used: int = 0,
        brace: bool = False,
        begun: bytes = b"",
    ) -> None:
        super().__init__(doc)
        self.then, self.most, self.least, self.template = then, most, least, template
        self.used, self.brace, self.begun = used, brace, begun

    def at(self, used: int, *, brace: bool = False, begun: bytes = b"") -> Text:
        """The frame after so many characters."""
        return Text(
            self.doc,
            self.then,
            most=self.most,
            least=self.least,
            template=self.template,
            used=used,
            brace=brace,
            begun=begun,
        )

    def step(self, byte: int) -> Frame | None:
        """One more byte of a character, or the closing quote."""
        if self.begun:
            return self._go_on(byte)
        if byte == _QUOTE:
            closes = self.closes
            return None if closes is None else closes(self.doc)
        if byte == _OPEN and self.template is not None and self.brace:
            return self._open()
        if self.used >= self.most or byte < 0x20 or byte == 0x7F:
            return None
        if byte == _BACKSLASH:
            return self.at(self.used + 1, begun=b"\\")
        if byte >= 0x80:
            begun = bytes((byte,))
            return self.at(self.used + 1, begun=begun) if more_bytes(begun) else None
        if self.brace and byte in (_PERCENT, _HASH):
            return None
        return self.at(self.used + 1, brace=byte == _OPEN and self.template is not None)

    @property
    def closes(self) -> Then | None:
        """What follows the closing quote; None where it may not come here."""
        return self.then if self.used >= self.least else None

    def leap(self, token: bytes) -> Text | None:
        """The frame after a token of ordinary characters; None where it has to be read byte by byte."""
        used = self.used + len(token)
        if self.begun or self.brace or used > self.most or token.translate(None, _ORDINARY):
            return None
        return self.at(used)

    def _go_on(self, byte: int) -> Frame | None:
        begun = self.begun + bytes((byte,))
        if self.begun[0] == _BACKSLASH:
            at = bisect_left(_ESCAPE_BYTES, begun)
            if at == len(_ESCAPE_BYTES) or not _ESCAPE_BYTES[at].startswith(begun):
                return None
            return self.at(self.used, begun=b"" if _ESCAPE_BYTES[at] == begun else begun)
        low, high = more_bytes(self.begun) or (1, 0)
        if not low <= byte <= high:
            return None
        return self.at(self.used, begun=b"" if len(begun) == length_of(begun[0]) else begun)

    def _open(self) -> Frame | None:
        """A template, if the shortest one fits; its first brace has been counted."""
        assert self.template is not None  # the caller has looked; narrows the type
        inner = self.template(self.doc, lambda doc: Closed(doc))
        return inside(inner, self.used + 1, self.most, self._after_template)

    def _after_template(self, used: int) -> Frame:
        return self.at(used)

    def is_even(self, longest: int) -> bool:  # noqa: ARG002  # texts with more bounds look at it
        """Whether the text may end after each of the next ``longest`` characters alike."""
        return self.used + 1 >= self.least

    def repeats(self, other: Frame, longest: int) -> bool:
        """Within one text, away from its bounds, the same tokens may come next after every character."""
        return (
            isinstance(other, Text)
            and self.then is other.then
            and self.doc is other.doc
            and self.brace == other.brace
            and not self.begun
            and not other.begun
            and min(self.used, other.used) >= self.least
            and max(self.used, other.used) + longest <= self.most
        )

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        return self.end_text, (id(self.then), id(self.doc)), lambda: self.then(self.doc)

    @property
    def end_text(self) -> bytes:
        """Whatever closes the text soonest."""
        if self.begun:
            return rest_of(self.begun) + b'"'
        return b"a" * (self.least - self.used) + b'"'

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the text."""
        return self.end_text, self.then(self.doc)


def rest_of(begun: bytes) -> bytes:
    """The smallest end of an escape or character."""
    if begun[0] == _BACKSLASH:
        if len(begun) == 1:
            return _SHORTEST_ESCAPE[1:]
        at = bisect_left(_ESCAPE_BYTES, begun)
        return _ESCAPE_BYTES[at][len(begun) :]
    rest = b""
    while len(begun) + len(rest) < length_of(begun[0]):
        low, _ = more_bytes(begun + rest) or (0x80, 0xBF)
        rest += bytes((low,))
    return rest


class Closed(Frame):
    """A template has been closed; `InTemplate` takes over."""

    __slots__ = ()
    is_final = True


class InTemplate(Frame):
    """A template inside a text: counts its characters and keeps room to close it."""

    __slots__ = ("back", "inner", "most", "used")

    def __init__(self, inner: Frame, used: int, most: int, back: Callable[[int], Frame]) -> None:
        super().__init__(inner.doc)
        self.inner, self.used, self.most, self.back = inner, used, most, back

    def step(self, byte: int) -> Frame | None:
        """One more byte of the template, if it can still be closed in time."""
        inner = self.inner.step(byte)
        if inner is None:
            return None
        # The backslash before an inner quote and all but the first byte of a character are no characters.
        used = self.used + (byte != _BACKSLASH and not 0x80 <= byte < 0xC0)
        return inside(inner, used, self.most, self.back)

    def moved(self, inner: Frame, more: int) -> InTemplate:
        """The frame at another place of the template, so many characters on; it may be too far to be closed."""
        return InTemplate(inner, self.used + more, self.most, self.back)

    def can_hold(self, inner: Frame, more: int) -> bool:
        """Whether the template can be closed from there in time."""
        return self.used + more + characters(closing(inner)[0]) <= self.most

    def hints(self) -> frozenset[int] | None:
        """Those of the template."""
        return self.inner.hints()

    def ahead(self) -> bytes:
        """That of the template."""
        return self.inner.ahead()

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        return closing(self.inner)[0], (id(self.back), id(self.doc)), lambda: self.back(self.used)

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the template."""
        end, _ = closing(self.inner)
        return end, self.back(self.used + characters(end))


def closing(inner: Frame) -> tuple[bytes, Frame]:
    """What closes a template, and the frame after it."""
    parts: list[bytes] = []
    while not inner.is_final:
        text, inner = inner.policy()
        parts.append(text)
    return b"".join(parts), inner


def characters(text: bytes) -> int:
    """The number of characters of a piece of a template, as the text is read."""
    return sum(byte != _BACKSLASH and not 0x80 <= byte < 0xC0 for byte in text)


def inside(inner: Frame, used: int, most: int, back: Callable[[int], Frame]) -> Frame | None:
    """The frame of a template of which ``inner`` is left; None where it cannot be closed in time."""
    if isinstance(inner, Closed):
        return back(used) if used <= most else None
    # Far from the bound nobody has to look at how the template would be closed.
    if used + inner.doc.plan.longest_read > most and used + characters(closing(inner)[0]) > most:
        return None
    return InTemplate(inner, used, most, back)


def whole_template(doc: Draft, template: OpenTemplate, most: int, then: Then) -> Frame | None:
    """A text that is exactly one template, after its opening quote; None where none fits."""
    inner = Fixed(doc, b"{{", lambda doc: template(doc, lambda doc: Closed(doc)))
    return inside(inner, 0, most, lambda _: Fixed(doc, b'"', then))
