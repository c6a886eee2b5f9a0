"""The masks of prose: nearly all tokens, so nothing is walked. Tokens are sorted once, by what they leave unfinished.

Prose knows nine places: before its first character, at the border of one, and seven ways to be within one. For each the
tokens that may come are kept by where they lead, and a row for each budget that tells these apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
import numpy.typing as npt

from agentic_dsl.compiler.grammar.prose import FIRST
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE, costs
from agentic_dsl.runtime.matcher.frames import Frame
from agentic_dsl.runtime.matcher.prose import Mixed, Prose, ProseCharacter, Rest, rest_behind
from agentic_dsl.runtime.matcher.vocabulary_trie import Row, VocabularyTrie

_Place = Rest | None
"""What is missing of a character; None is the border of one."""


class ProseRows:
    """The masks of prose under one vocabulary; made when prose is first asked for, and only ever gains entries."""

    def __init__(self, trie: VocabularyTrie) -> None:
        self._trie = trie
        self._costs: dict[_Place, int] = {None: 1}
        self._tokens: dict[_Place, Mapping[_Place, Row]] = {}
        self._first: Mapping[_Place, Row] | None = None
        self._rows: dict[tuple[str | _Place, int | None], npt.NDArray[np.int32]] = {}

    def mask(self, frame: Frame, left: int | None) -> npt.NDArray[np.int32]:
        """The tokens that go on with prose at a `Mixed`, `Prose` or `ProseCharacter`; end tokens where it may end.

        Args:
            frame: where the text is.
            left: the tokens that are left, the next one included; None without a budget.
        """
        place = frame.rest if isinstance(frame, ProseCharacter) else None
        key = "first" if isinstance(frame, Mixed) else place
        if left is not None:
            left = min(left, _AMPLE)
        if (row := self._rows.get((key, left))) is None:
            row = self._rows[key, left] = self._row(place, left, first=key == "first").view(np.int32)
        return row

    def fits(self, after: Prose | ProseCharacter, left: int | None) -> bool:
        """Whether prose can be completed once a token has led to ``after``; ``left`` as in `mask`."""
        cost = self._cost(after.rest if isinstance(after, ProseCharacter) else None)
        return cost < (IMPOSSIBLE if left is None else left)

    def _cost(self, place: _Place) -> int:
        """The tokens that the policy takes to the end, end token included."""
        if (cost := self._costs.get(place)) is None:
            assert place is not None  # the border is known
            cost = self._costs[place] = costs(self._trie.root, place.text).total
        return cost

    def _row(self, place: _Place, left: int | None, *, first: bool) -> Row:
        row = self._trie.row(())
        for target, tokens in (self._first_tokens() if first else self._from(place)).items():
            if self._cost(target) < (IMPOSSIBLE if left is None else left):
                row |= tokens
        if place is None and not first:
            row |= self._trie.end_row
        return row

    # --- where tokens lead -------------------------------------------------------------------------------------------

    def _from(self, place: _Place) -> Mapping[_Place, Row]:
        if (found := self._tokens.get(place)) is None:
            low, high, begun = (0x00, 0xFF, b"") if place is None else (place.low, place.high, _BEGUN[place])
            tokens: dict[_Place, list[int]] = {}
            for byte, child in self._trie.root.children.items():
                if low <= byte <= high:
                    before = begun + bytes((byte,))
                    below = ((before + text, token_id) for text, token_id in child.endings())
                    for text, token_id in chain(((before, token_id) for token_id in child.tokens), below):
                        if (target := _behind(text)) is not _NOWHERE:
                            tokens.setdefault(target, []).append(token_id)
            found = self._tokens[place] = {target: self._trie.row(ids) for target, ids in tokens.items()}
        return found

    def _first_tokens(self) -> Mapping[_Place, Row]:
        """Those of a border that prose can begin with."""
        if self._first is None:
            never = [
                token_id
                for byte, child in self._trie.root.children.items()
                if byte < 0x80 and chr(byte) not in FIRST
                for token_id in chain(child.tokens, (token_id for _, token_id in child.endings()))
            ]
            kept = ~self._trie.row(never)
            self._first = {target: row & kept for target, row in self._from(None).items()}
        return self._first


def _behind(text: bytes) -> _Place:
    """What is missing of the last character of a text that begins with one; `_NOWHERE` where it is no UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError as exc:
        if exc.reason != "unexpected end of data":
            return _NOWHERE
        lead, *others = text[exc.start :]
        rest = rest_behind(lead)
        assert rest is not None  # more bytes could make it a character
        return Rest(0x80, 0xBF, rest.more - len(others)) if others else rest
    return None


_NOWHERE = Rest(1, 0, 0)
"""The place of what is no text: no byte lies in its range."""

_LEADS = (0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF1, 0xF4)
_BEGUN: Mapping[Rest, bytes] = {rest: bytes((lead,)) for lead in _LEADS if (rest := rest_behind(lead)) is not None}
"""Every way to be within a character, with a beginning that leads there."""

_AMPLE = 6
"""Tokens with which everything fits: three bytes of a character, the end token, the next token, and one to spare."""
