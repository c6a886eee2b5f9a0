"""One request on its way through a `BatchQueue`, and what the queue says of all of them."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from agentic_dsl.errors import AgenticDSLError, GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, OnToken


class RequestRefusedError(GenerationError):
    """The queue did not take a request: too many wait, or it is closed."""

    code = "refused"


class RequestTimeoutError(GenerationError):
    """A request was not answered within the queue's timeout."""

    code = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """What a queue did so far.

    Attributes:
        waiting: requests that wait now.
        running: requests in the batch that runs now.
        batches: batches that were begun.
        requests: requests in them.
        waited_seconds: how long these had waited, together.
        refused: requests that found the queue full or closed.
        timed_out: requests without an answer when their time was over, whether they waited or ran.
        cancelled: requests that their callers gave up, whether they waited or ran.
    """

    waiting: int = 0
    running: int = 0
    batches: int = 0
    requests: int = 0
    waited_seconds: float = 0.0
    refused: int = 0
    timed_out: int = 0
    cancelled: int = 0

    @property
    def mean_batch_size(self) -> float:
        """Requests in a batch, on average; 0 before the first."""
        return self.requests / self.batches if self.batches else 0.0

    @property
    def mean_wait(self) -> float:
        """Seconds that a request waited for its batch, on average; 0 before the first."""
        return self.waited_seconds / self.requests if self.requests else 0.0


@dataclass(slots=True, eq=False)
class Ticket:
    """One request in the queue. `waits` belongs to the queue's lock; everything else is fixed.

    The future stays pending while its batch runs, so that it can be cancelled until the moment it has a result.
    """

    request: EngineRequest
    row: int
    on_token: OnToken | None
    submitted: float
    deadline: float | None
    future: Future[EngineResult] = field(default_factory=Future)
    waits: bool = True

    def is_late(self, now: float) -> bool:
        """Whether its time is over."""
        return self.deadline is not None and now >= self.deadline

    def settle(self, result: EngineResult | BaseException) -> bool:
        """Gives the future its result, unless it has one or was cancelled; whether this was it."""
        with suppress(InvalidStateError):
            if isinstance(result, StopIteration):  # no future of asyncio takes it, for it would end a coroutine
                self.future.set_exception(RuntimeError("a hook raised StopIteration"))
            elif isinstance(result, BaseException):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)
            return True
        return False


def failed(error: AgenticDSLError) -> EngineResult:
    """The result of one request of a batch that failed; an exception of its own, since several threads may raise it."""
    own = GenerationError(error.message, help=error.help)
    own.__cause__ = error
    return EngineResult.failed(own)
