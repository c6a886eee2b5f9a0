"""Texts whose lengths a schema bounds: a literal one is within the bounds, one with a template in it may be longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.argument_values import TextRange
from agentic_dsl.runtime.matcher.frames import Frame, Then
from agentic_dsl.runtime.matcher.templates import template
from agentic_dsl.runtime.matcher.texts import Closed, OpenTemplate, Text, closing, inside, rest_of

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

_QUOTE, _OPEN = b'"{'
_SPARE = 64
"""Characters that surely suffice for the shortest template."""


def bounded_text(doc: Draft, ranges: tuple[TextRange, ...], then: Then, filled: Then | None) -> Frame:
    """A text after its opening quote.

    Args:
        doc: the document so far.
        ranges: the lengths that it may have without a template; empty where it must have one.
        then: what follows such a text.
        filled: what follows one with a template, None where it may have none.
    """
    opens, most = template(doc.node.env), doc.plan.max_text
    if ranges and filled is then and any(low == 0 and (high is None or high >= most) for low, high in ranges):
        return Text(doc, then, most=most, template=opens)
    need = 2 + len(closing(opens(doc, lambda doc: Closed(doc)))[0]) if filled is not None else 0
    bounds = Bounds(tuple((low, most if h is None else min(h, most)) for low, h in ranges), filled, most, need)
    return BoundedText(doc, then, bounds, opens)


class Bounds:
    """What is the same along one text.

    Attributes:
        ranges: the lengths that it may have without a template.
        filled: what follows it with one, None where it may have none.
        most: the most characters in any case.
        need: characters of the shortest template.
        goes_on: the most characters that it may have before a template comes.
    """

    __slots__ = ("filled", "goes_on", "most", "need", "ranges")

    def __init__(self, ranges: tuple[TextRange, ...], filled: Then | None, most: int, need: int) -> None:
        self.ranges, self.filled, self.most, self.need = ranges, filled, most, need
        highs = [high for low, high in ranges if high is not None and low <= high]
        self.goes_on = max([*highs, most - need] if filled is not None else highs, default=0)

    def length_from(self, used: int) -> int | None:
        """The next length at which the text may end without a template."""
        sizes = [max(low, used) for low, high in self.ranges if high is not None and max(low, used) <= high]
        return min(sizes, default=None)


class BoundedText(Text):
    """Text after its opening quote, with bounds on its length as long as there is no template in it.

    Attributes:
        bounds: the bounds.
        is_filled: whether there is a template in it.
    """

    __slots__ = ("bounds", "is_filled")

    def __init__(
        self,
        doc: Draft,
        then: Then,
        bounds: Bounds,
        opens: OpenTemplate,
        *,
        used: int = 0,
        brace: bool = False,
        begun: bytes = b"",
        is_filled: bool = False,
    ) -> None:
        most = bounds.most if is_filled else bounds.goes_on
        super().__init__(doc, then, most=most, template=opens, used=used, brace=brace, begun=begun)
        self.bounds, self.is_filled = bounds, is_filled

    def at(self, used: int, *, brace: bool = False, begun: bytes = b"") -> BoundedText:
        """The frame after so many characters."""
        assert self.template is not None  # it always has one; narrows the type
        return BoundedText(
            self.doc,
            self.then,
            self.bounds,
            self.template,
            used=used,
            brace=brace,
            begun=begun,
            is_filled=self.is_filled,
        )

    def step(self, byte: int) -> Frame | None:
        """One more byte of a character, or the closing quote."""
        if self.begun or byte != _OPEN:
            return super().step(byte)
        if self.brace:
            return self._open()
        if self.used < self.most or (not self.is_filled and self._fits(self.used + 1, brace=True)):
            return self.at(self.used + 1, brace=True)
        return None

    @property
    def closes(self) -> Then | None:
        """See `Text.closes`."""
        return self._after if self._may_end else None

    @property
    def _may_end(self) -> bool:
        return self.is_filled or self.bounds.length_from(self.used) == self.used

    @property
    def _after(self) -> Then:
        filled = self.bounds.filled if self.is_filled else None
        return self.then if filled is None else filled

    def _fits(self, used: int, *, brace: bool) -> bool:
        """Whether a template may come after so many characters."""
        bounds = self.bounds
        return bounds.filled is not None and used + bounds.need - brace <= bounds.most

    def _open(self) -> Frame | None:
        """A template, if the shortest one fits; its first brace has been counted."""
        if self.bounds.filled is None or self.template is None:
            return None
        inner = self.template(self.doc, lambda doc: Closed(doc))
        return inside(inner, self.used + 1, self.bounds.most, self._after_template)

    def _after_template(self, used: int) -> Frame:
        assert self.template is not None  # as above
        return BoundedText(self.doc, self.then, self.bounds, self.template, used=used, is_filled=True)

    def is_even(self, longest: int) -> bool:
        """Whether the text may end, or may not, after each of the next characters alike."""
        if self.is_filled:
            return True
        low, high = self.used, self.used + longest
        ranges = [(least, most) for least, most in self.bounds.ranges if most is not None and least <= most]
        within = any(least <= low and high <= most for least, most in ranges)
        return within or all(most < low or least > high for least, most in ranges)

    def repeats(self, other: Frame, longest: int) -> bool:
        """Away from its bounds, the same tokens may come next after every character."""
        if not isinstance(other, BoundedText) or self.bounds is not other.bounds:
            return False
        if self.doc is not other.doc or self.brace != other.brace or self.begun or other.begun:
            return False
        first, second = sorted((self, other), key=lambda frame: frame.used)
        distance = second.used - first.used + longest
        return (
            self.is_filled == other.is_filled
            and self.then is other.then
            and second.used + longest + _SPARE <= self.most
            and first.is_even(distance)
        )

    def ending(self) -> tuple[bytes, object, Callable[[], Frame]]:
        """The text of the policy, and what follows it."""
        text, after = self._end()
        return text, (id(after), id(self.doc)), lambda: after(self.doc)

    @property
    def end_text(self) -> bytes:
        """Whatever closes the text in a way that is allowed."""
        return self._end()[0]

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the text, with a template where it must have one."""
        text, after = self._end()
        return text, after(self.doc)

    def _end(self) -> tuple[bytes, Then]:
        begun = rest_of(self.begun) if self.begun else b""
        if self.is_filled:
            return begun + b'"', self._after
        if (length := self.bounds.length_from(self.used)) is not None:
            return begun + b"a" * (length - self.used) + b'"', self.then
        assert self.template is not None  # as above
        assert self.bounds.filled is not None  # else it could not have come so far
        end, _ = closing(self.template(self.doc, lambda doc: Closed(doc)))
        return begun + (b"{" if self.brace else b"{{") + end + b'"', self.bounds.filled
