"""`Patience`: how long to wait for the lock of a file, so that a lock that never comes is not waited for each time."""

from __future__ import annotations

import time
from collections.abc import Callable

_REST = 10.0
"""A wait in vain is followed by so many times its length without another one."""


class Patience:
    """The time to wait for a writer of another process; belongs to whoever holds the lock of the connection.

    After a wait in vain nobody waits for a while, or until a write has gone through: a batch that writes ten times
    waits once, and a lock that stays costs at most a tenth of the time.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Full patience.

        Args:
            seconds: the longest wait.
            clock: seconds that only grow.
        """
        self._seconds = seconds
        self._clock = clock
        self._rests_until = -float("inf")

    @property
    def seconds(self) -> float:
        """How long to wait now."""
        return 0.0 if self._clock() < self._rests_until else self._seconds

    def waited_in_vain(self) -> None:
        """A lock did not come."""
        if self.seconds:
            self._rests_until = self._clock() + _REST * self._seconds

    def wrote(self) -> None:
        """A write went through."""
        self._rests_until = -float("inf")
