"""How a prompt comes into a prefix cache: what is known is named anew, what is new is cut into runs of one kind."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.prefix_cache.payload import P
from agentic_dsl.runtime.prefix_cache.radix_tree import Match, Node
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.runtime.prefix_cache.typed_tree import TypedTree


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of a prompt.

    Attributes:
        length: tokens at its beginning that are in memory now.
        new: of these, tokens that were not known before.
        refused: tokens that were not kept for want of room.
    """

    length: int
    new: int
    refused: int


class Insertion(Generic[P]):
    """One prompt on its way into the tree. Everything that it passes is held until `run` returns."""

    def __init__(
        self,
        cache: TypedTree[P],
        prompt: array[int],
        payload_of: Callable[[int, int], P],
        labels: Sequence[Span],
        pins: Sequence[Selector],
        program: int | None,
    ) -> None:
        self._cache = cache
        self._prompt = prompt
        self._payload_of = payload_of
        self._pins = pins
        self._pieces = _pieces(labels, pins, prompt, cache.tree.block_tokens)
        self._program = program
        self._last: Node[Run[P]] | None = None

    def run(self) -> tuple[Inserted, list[Span]]:
        """Inserts; what became of it, and what was not known before, kept or not, by label."""
        try:
            known = self._pass_known()
            self._name_anew()
            new = [piece for piece in self._pieces if piece.end > known]
            if new:
                new[0] = replace(new[0], start=max(new[0].start, known))
            if self._reached == known:
                self._add(new)
            length = self._reached
        finally:
            self._cache.release(self._last)
        return Inserted(length, max(length - known, 0), len(self._prompt) - length), new

    @property
    def _reached(self) -> int:
        return 0 if self._last is None else self._last.end

    def _pass_known(self) -> int:
        """Walks what the tree knows of the prompt, which comes into memory; how long that is."""
        match = self._cache.tree.match(self._prompt)
        for node in match.path:
            # The caller has just computed it, so nothing is loaded from the tier where it may lie.
            if node.value.payload is None and not self._cache.enter(node, self._made(node.start, node.end)):
                return self._known_before(match, node)
            self._hold(node)
        if match.partial is not None:
            if not self._cache.bring(match.partial):
                return self._known_before(match, match.partial)
            self._hold(self._cache.cut(match.partial, match.length - match.partial.start))
        return match.length

    def _known_before(self, match: Match[Run[P]], stop: Node[Run[P]]) -> int:
        """How long what is known is, where it does not all come into memory: a run that was lost is not known."""
        return match.length if stop.parent is not None else self._reached

    def _hold(self, node: Node[Run[P]]) -> None:
        self._cache.hold_next(self._last, node)
        self._cache.touch(node, self._program)
        self._last = node

    def _name_anew(self) -> None:
        """The newest request knows best what its tokens are: known runs take its names, split where these change."""
        path: list[Node[Run[P]]] = []
        node = self._last
        while node is not None:
            path.append(node)
            node = self._cache.tree.parent_of(node)
        number = 0
        for node in reversed(path):
            while self._pieces[number].end <= node.start:
                number += 1
            while self._pieces[number].end < node.end:
                self._name(self._cache.cut(node, self._pieces[number].end - node.start), self._pieces[number])
                number += 1
            self._name(node, self._pieces[number])

    def _name(self, node: Node[Run[P]], label: Span) -> None:
        if not node.value.label.means(label):
            self._cache.relabel(node, label.kind, label.name)
        if self._pins or node.value.pinned:
            self._cache.pin([node], self._is_pinned(node.value.label))

    def _is_pinned(self, label: Span) -> bool:
        return any(pin.picks(label, self._prompt) for pin in self._pins)

    def _add(self, new: Sequence[Span]) -> None:
        """Adds what is new, as far as there is room: a prefix whose end does not fit is a prefix still."""
        for label in new:
            payload = self._made(label.start, label.end)
            run: Run[P] = Run(label, self._cache.clock)
            node = self._cache.attach(self._last, self._prompt[label.start : label.end], run, payload)
            if node is None:
                return
            self._hold(node)
            if self._is_pinned(label):
                self._cache.pin([node], True)

    def _made(self, start: int, end: int) -> P:
        payload = self._payload_of(start, end)
        if payload.tokens != end - start:
            raise UsageError(
                f"the payload of the tokens {start}–{end} is for {payload.tokens} tokens",
                help="return a payload of exactly the tokens asked for",
            )
        return payload


def _pieces(labels: Sequence[Span], pins: Sequence[Selector], prompt: array[int], block_tokens: int) -> Sequence[Span]:
    """The labels, cut where a pin begins or ends."""
    borders = sorted({border for pin in pins for border in pin.borders(prompt, block_tokens)})
    if not borders:
        return labels
    pieces: list[Span] = []
    for label in labels:
        for border in borders:
            if label.start < border < label.end:
                pieces.append(replace(label, end=border))
                label = replace(label, start=border)
        pieces.append(label)
    return pieces
