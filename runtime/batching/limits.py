"""`Limits`: how many requests a `BatchQueue` holds, and how long they wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import TIMEOUT_MAX

from agentic_dsl.errors import EngineError

_LONGEST = TIMEOUT_MAX - 1.0
"""Seconds: what a thread can wait for at most, less what is lost when times of the clock are added."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one queue, see `BatchQueue`; times that no thread could wait for are cut.

    Raises:
        EngineError: a limit makes no sense.
    """

    max_batch_size: int
    max_wait: float
    max_pending: int
    timeout: float | None

    def __post_init__(self) -> None:
        if self.max_batch_size < 1:
            raise EngineError(f"max_batch_size is {self.max_batch_size}", help="give a whole number of 1 or more")
        if self.max_pending < 1:
            raise EngineError(f"max_pending is {self.max_pending}", help="give a whole number of 1 or more")
        if not 0 <= self.max_wait < math.inf:
            raise EngineError(f"max_wait is {self.max_wait}", help="give seconds, 0 or more")
        if self.timeout is not None and not self.timeout > self.max_wait:
            raise EngineError(
                f"the timeout of {self.timeout} s is not longer than max_wait, which is {self.max_wait} s",
                help="raise the timeout, or lower max_wait: every request may wait that long for its batch",
            )
        if self.timeout is not None:
            object.__setattr__(self, "timeout", None if self.timeout == math.inf else min(self.timeout, _LONGEST))
        object.__setattr__(self, "max_wait", min(self.max_wait, _LONGEST))

    def deadline(self, now: float) -> float | None:
        """Until when what comes now must be answered, None where there is no timeout."""
        return None if self.timeout is None else now + self.timeout

    @property
    def full(self) -> int:
        """How many waiting requests are as many as a batch can get."""
        return min(self.max_batch_size, self.max_pending)
