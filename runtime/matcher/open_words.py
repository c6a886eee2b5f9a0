"""Words that a text makes up: ids, keys, names; with some that are known and some that are taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from agentic_dsl.runtime.matcher.frames import Frame, shared_beginning

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

ThenWord = Callable[["Draft", str], Frame]
"""A continuation that is told the word."""


@dataclass(frozen=True)
class Alphabet:
    """The characters of a kind of word: the first one, and the others. The policy prefers earlier ones."""

    first: str
    rest: str

    @cached_property
    def within(self) -> bytes:
        """The characters after the first one."""
        return self.rest.encode("ascii")

    def count(self, typed: int, limit: int) -> int:
        """The number of words of at most ``limit`` characters with a given beginning, exact up to some 10⁵."""
        if typed > limit:
            return 0
        free = min(limit - typed, 4)
        if typed:
            return int(sum(len(self.rest) ** more for more in range(free + 1)))
        return len(self.first) * int(sum(len(self.rest) ** more for more in range(min(limit, 4))))


_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
WORD = Alphabet(_LOWER, f"{_LOWER}{_DIGITS}_")
"""Ids and keys."""

_LETTERS = f"{_LOWER}{_LOWER.upper()}_"
NAME = Alphabet(_LETTERS, f"{_LETTERS}{_DIGITS}")
"""Members of values."""

PLAIN = Alphabet(_LETTERS, f"{_LETTERS}{_DIGITS}./-")
"""Names of tools, models and runtimes, and keys of arguments."""


SURELY_VIABLE = 4
"""With room for this many more characters there is always a word that is not taken."""


_MANY = 36**SURELY_VIABLE
"""Fewer words than so many characters spell, in the smallest alphabet."""

Taken = Sequence[Collection[str]]
"""Groups of words that may not be written."""


class OpenWord(Frame):
    """A word of an alphabet, with a bound on its length.

    Attributes:
        known: words that may be written whatever else holds, in the order of the policy.
        fresh: whether other words may be written.
        taken: groups of words that may not be; in lower case where ``any_case``.
        alike: words beside the known ones that what follows tells from others; None where it may tell any word.
    """

    __slots__ = (
        "_longest",
        "_special",
        "alike",
        "alphabet",
        "any_case",
        "end",
        "fresh",
        "known",
        "limit",
        "taken",
        "then",
        "typed",
    )

    def __init__(
        self,
        doc: Draft,
        alphabet: Alphabet,
        end: bytes,
        then: ThenWord,
        *,
        limit: int,
        known: Sequence[str] = (),
        fresh: bool = True,
        taken: Taken = (),
        any_case: bool = False,
        alike: Sequence[str] | None = None,
        typed: str = "",
    ) -> None:
        """Begins a word, or goes on with one.

        Args:
            doc: the document so far.
            alphabet: the characters.
            end: the bytes of which any ends the word; it is handed on to what follows.
            then: what follows.
            limit: the most characters.
            known: see the attributes, as the others.
            fresh: as above.
            taken: as above.
            any_case: whether the words taken are so in every mixture of cases.
            alike: as above.
            typed: what is there already.
        """
        super().__init__(doc)
        self.alphabet, self.end, self.then, self.limit = alphabet, end, then, limit
        self.known, self.fresh, self.taken, self.any_case, self.typed = known, fresh, taken, any_case, typed
        self.alike = None if any_case else alike
        self._special: frozenset[str] | None = None
        self._longest = 0

    def step(self, byte: int) -> Frame | None:
        """One more character, or what ends the word."""
        if byte in self.end:
            return self.then(self.doc, self.typed).step(byte) if self.is_word(self.typed) else None
        char = chr(byte)
        if char not in (self.alphabet.rest if self.typed else self.alphabet.first):
            return None
        longer = self.typed + char
        return self.at(longer) if self.begins_word(longer) else None

    def leap(self, token: bytes) -> OpenWord | None:
        """The frame after a token within a new word; None where it has to be read byte by byte."""
        if not self.fresh or not self.typed or token.translate(None, self.alphabet.within):
            return None
        longer = self.typed + token.decode("ascii")
        return self.at(longer) if self.begins_word(longer) else None

    def without_known(self) -> OpenWord:
        """The same where the known words may not be written, so that the policy makes one up."""
        fresh = self.at(self.typed, ())
        fresh.taken = (*self.taken, self.known)
        return fresh

    @property
    def is_viable(self) -> bool:
        """Whether some word begins with what is typed."""
        return self.begins_word(self.typed)

    def at(self, typed: str, known: Sequence[str] | None = None) -> OpenWord:
        """The frame where this much is typed."""
        after = OpenWord(
            self.doc,
            self.alphabet,
            self.end,
            self.then,
            limit=self.limit,
            known=[word for word in self.known if word.startswith(typed)] if known is None else known,
            fresh=self.fresh,
            taken=self.taken,
            any_case=self.any_case,
            alike=self.alike,
            typed=typed,
        )
        if known is None:
            after._special, after._longest = self._special, self._longest
        return after

    @property
    def special(self) -> frozenset[str]:
        """The words that are known, taken, or told from others by what follows them; the same all along a word."""
        if self._special is None:
            self._special = frozenset[str]().union(self.known, self.alike or (), *self.taken)
            self._longest = max(map(len, self._special), default=0)
        return self._special

    @property
    def is_roomy(self) -> bool:
        """Whether there is room for another word behind every word that is taken."""
        return bool(self.special) and self._longest + SURELY_VIABLE <= self.limit

    def is_word(self, word: str) -> bool:
        """Whether a word may be written."""
        if word in self.known:
            return True
        return self.fresh and 0 < len(word) <= self.limit and not self._is_taken(word)

    def _is_taken(self, word: str) -> bool:
        word = word.lower() if self.any_case else word
        return any(word in group for group in self.taken)

    def begins_word(self, typed: str) -> bool:
        """Whether some word that may be written begins so."""
        if any(word.startswith(typed) for word in self.known):
            return True
        if not self.fresh or len(typed) > self.limit:
            return False
        if not self._is_taken(typed):
            return True
        if self.limit - len(typed) >= SURELY_VIABLE and sum(map(len, self.taken)) < _MANY:
            return True
        excluded = len({word for word in self.taken_from(typed) if len(word) <= self.limit})
        # Words taken in every case take the place of one word of lower case each: the rest of them only helps.
        return self.alphabet.count(len(typed), self.limit) > excluded

    def hints(self) -> frozenset[int] | None:
        """The next characters of known words, where only these may be written."""
        if self.fresh:
            return None
        size = len(self.typed)
        return frozenset((*self.end, *(ord(word[size]) for word in self.known if len(word) > size)))

    def ahead(self) -> bytes:
        """What all known words go on with, where only these may be written."""
        if self.fresh:
            return b""
        left = [word.encode() for word in self.known if word.startswith(self.typed)]
        return shared_beginning(left)[len(self.typed) :]

    def forced(self) -> tuple[bytes, Frame] | None:
        """The same; what follows the word, where no other is left."""
        if self.fresh:
            return None
        if text := self.ahead():
            return text, self.at(self.typed + text.decode())
        left = [word for word in self.known if word.startswith(self.typed)]
        return (b"", self.then(self.doc, self.typed)) if len(left) == 1 else None

    def taken_from(self, typed: str) -> Iterator[str]:
        """The words taken that begin so; one may come twice."""
        typed = typed.lower() if self.any_case else typed
        for group in self.taken:
            for word in group:
                if word.startswith(typed):
                    yield word

    def long_taken(self) -> Iterator[str]:
        """The words taken at the end of which, or in front of it, there may be no room for another one."""
        for group in self.taken:
            for word in group:
                if len(word) + SURELY_VIABLE > self.limit:
                    yield word

    def new_word(self) -> str:
        """A word that is longer than what is typed and neither known nor special; there must be room for some."""
        for more in range(1, self.limit - len(self.typed) + 1):
            for end in product(self.alphabet.rest if self.typed else self.alphabet.first, repeat=more):
                word = self.typed + "".join(end)
                if word not in self.special:
                    return word
        raise AssertionError(f"no new word begins with {self.typed!r}")  # the caller has seen that there is room

    @property
    def word(self) -> str:
        """The word that the policy writes, what is typed included."""
        for word in self.known:
            if word.startswith(self.typed):
                return word
        taken = frozenset[str]().union(*self.taken)
        for more in range(self.limit - len(self.typed) + 1):
            for end in product(self.alphabet.rest, repeat=more):
                word = self.typed + "".join(end)
                spelled = word.lower() if self.any_case else word
                if word and word[0] in self.alphabet.first and spelled not in taken:
                    return word
        raise AssertionError(f"no word begins with {self.typed!r}")  # `step` lets no such prefix come up

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the first known word, else of the shortest new one."""
        word = self.word
        return word[len(self.typed) :].encode(), self.then(self.doc, word)


def can_begin(alphabet: Alphabet, limit: int, known: Sequence[str], fresh: bool, taken: Taken) -> bool:
    """Whether any word at all can be written."""
    if known:
        return True
    if limit >= SURELY_VIABLE and sum(map(len, taken)) < _MANY:
        return fresh
    excluded = {word for group in taken for word in group if len(word) <= limit}
    return fresh and alphabet.count(0, limit) > len(excluded)
