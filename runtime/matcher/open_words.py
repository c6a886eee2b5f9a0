"""Words that a text makes up: ids, keys, names; with some that are known and some that are taken."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from agentic_dsl.runtime.matcher.frames import Frame

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

ThenWord = Callable[["Draft", str], Frame]
"""A continuation that is told the word."""


@dataclass(frozen=True)
class Alphabet:
    """The characters of a kind of word: the first one, and the others. The policy prefers earlier ones."""

    first: str
    rest: str

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


class OpenWord(Frame):
    """A word of an alphabet, with a bound on its length.

    Attributes:
        known: words that may be written whatever else holds, in the order of the policy.
        fresh: whether other words may be written.
        taken: words that may not be, sorted; in lower case where ``any_case``.
        least: the fewest characters.
    """

    __slots__ = ("alphabet", "any_case", "end", "fresh", "known", "limit", "taken", "then", "typed")

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
        taken: Sequence[str] = (),
        any_case: bool = False,
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
            typed: what is there already.
        """
        super().__init__(doc)
        self.alphabet, self.end, self.then, self.limit = alphabet, end, then, limit
        self.known, self.fresh, self.taken, self.any_case, self.typed = known, fresh, taken, any_case, typed

    def step(self, byte: int) -> Frame | None:
        """One more character, or what ends the word."""
        if byte in self.end:
            return self.then(self.doc, self.typed).step(byte) if self._is_whole(self.typed) else None
        char = chr(byte)
        if char not in (self.alphabet.rest if self.typed else self.alphabet.first):
            return None
        longer = self.typed + char
        return self._with(longer) if self._is_viable(longer) else None

    def without_known(self) -> OpenWord:
        """The same where the known words may not be written, so that the policy makes one up."""
        fresh = self._with(self.typed, ())
        fresh.taken = sorted({*self.taken, *self.known})
        return fresh

    @property
    def is_viable(self) -> bool:
        """Whether some word begins with what is typed."""
        return self._is_viable(self.typed)

    def _with(self, typed: str, known: Sequence[str] | None = None) -> OpenWord:
        return OpenWord(
            self.doc,
            self.alphabet,
            self.end,
            self.then,
            limit=self.limit,
            known=[word for word in self.known if word.startswith(typed)] if known is None else known,
            fresh=self.fresh,
            taken=self.taken,
            any_case=self.any_case,
            typed=typed,
        )

    def _is_whole(self, word: str) -> bool:
        if word in self.known:
            return True
        return self.fresh and 0 < len(word) <= self.limit and not self._is_taken(word)

    def _is_taken(self, word: str) -> bool:
        word = word.lower() if self.any_case else word
        at = bisect_left(self.taken, word)
        return at < len(self.taken) and self.taken[at] == word

    def _is_viable(self, typed: str) -> bool:
        if any(word.startswith(typed) for word in self.known):
            return True
        if not self.fresh or len(typed) > self.limit:
            return False
        if not self._is_taken(typed):
            return True
        if self.limit - len(typed) >= 4 and len(self.taken) < len(self.alphabet.rest) ** 4:
            return True
        excluded = sum(len(word) <= self.limit for word in self._taken_from(typed))
        # Words taken in every case take the place of one word of lower case each: the rest of them only helps.
        return self.alphabet.count(len(typed), self.limit) > excluded

    def hints(self) -> frozenset[int] | None:
        """The next characters of known words, where only these may be written."""
        if self.fresh:
            return None
        size = len(self.typed)
        return frozenset((*self.end, *(ord(word[size]) for word in self.known if len(word) > size)))

    def _taken_from(self, typed: str) -> Iterator[str]:
        """The words taken that begin so."""
        typed = typed.lower() if self.any_case else typed
        for at in range(bisect_left(self.taken, typed), len(self.taken)):
            if not self.taken[at].startswith(typed):
                return
            yield self.taken[at]

    @property
    def word(self) -> str:
        """The word that the policy writes, what is typed included."""
        for word in self.known:
            if word.startswith(self.typed):
                return word
        for more in range(self.limit - len(self.typed) + 1):
            for end in product(self.alphabet.rest, repeat=more):
                word = self.typed + "".join(end)
                if word and word[0] in self.alphabet.first and not self._is_taken(word):
                    return word
        raise AssertionError(f"no word begins with {self.typed!r}")  # `step` lets no such prefix come up

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the first known word, else of the shortest new one."""
        word = self.word
        return word[len(self.typed) :].encode(), self.then(self.doc, word)


def can_begin(alphabet: Alphabet, limit: int, known: Sequence[str], fresh: bool, taken: Sequence[str]) -> bool:
    """Whether any word at all can be written."""
    if known:
        return True
    return fresh and alphabet.count(0, limit) > sum(len(word) <= limit for word in taken)
