"""Which of many may go first: a heap whose entries are replaced by newer ones, never searched for."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

Priority = tuple[float, ...]
"""The lowest goes first."""

_SLACK = 64
"""Stale entries that are never worth a clean-up."""


class VictimQueue(Generic[T]):
    """Candidates by priority; every step takes logarithmic time, spread over many."""

    def __init__(self) -> None:
        self._heap: list[tuple[Priority, int, T]] = []
        self._tickets: dict[T, int] = {}
        self._count = count()

    def __len__(self) -> int:
        return len(self._tickets)

    def offer(self, item: T, priority: Priority) -> None:
        """Makes it a candidate, or gives it another priority."""
        ticket = next(self._count)
        self._tickets[item] = ticket
        heapq.heappush(self._heap, (priority, ticket, item))
        if len(self._heap) > 2 * len(self._tickets) + _SLACK:
            self._compact()

    def withdraw(self, item: T) -> None:
        """It is no candidate any more, if it was one."""
        if self._tickets.pop(item, None) is not None and len(self._heap) > 2 * len(self._tickets) + _SLACK:
            self._compact()

    def first(self) -> T | None:
        """The candidate that goes first, which stays one; None if there is none."""
        while self._heap:
            _, ticket, item = self._heap[0]
            if self._tickets.get(item) == ticket:
                return item
            heapq.heappop(self._heap)
        return None

    def _compact(self) -> None:
        """Drops stale entries, which would otherwise keep their items alive."""
        self._heap = [entry for entry in self._heap if self._tickets.get(entry[2]) == entry[1]]
        heapq.heapify(self._heap)
