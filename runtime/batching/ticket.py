"""One request on its way through a `BatchQueue`, and what the queue says of all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from agentic_dsl.errors import AgenticDSLError, EngineError, GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, OnToken


class RequestRefusedError(GenerationError):
    """The queue did not take a request: too many wait, or it is closed."""

    code = "refused"

    @classmethod
    def closed(cls) -> RequestRefusedError:
        """The refusal of a queue that was closed."""
        return cls("the queue is closed", help="make another one")

    @classmethod
    def full(cls, max_pending: int) -> RequestRefusedError:
        """The refusal of a queue in which so many wait."""
        return cls(
            f"the queue is full: {max_pending:,} requests wait already",
            help="send the request again later, send fewer at once, or raise max_pending",
        )


class RequestTimeoutError(GenerationError):
    """A request was not answered within the queue's timeout."""

    code = "timeout"

    @classmethod
    def after(cls, seconds: float | None) -> RequestTimeoutError:
        """The end of a request that waited or ran for so long."""
        return cls(
            f"the request was not answered within {seconds} s",
            help="raise the timeout, send fewer requests at once, or ask for shorter answers",
        )


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


def seconds_left(tickets: Sequence[Ticket]) -> float | None:
    """How long the last of some tickets may still take, None where it may take any time."""
    deadlines = [ticket.deadline for ticket in tickets if ticket.deadline is not None]
    return max(max(deadlines) - time.monotonic(), 0.0) if deadlines else None


def cancel(tickets: Sequence[Ticket]) -> None:
    """Gives up what is not answered yet."""
    for ticket in tickets:
        ticket.future.cancel()


def settle(tickets: Sequence[Ticket], answers: Sequence[EngineResult] | AgenticDSLError) -> None:
    """Hands every ticket its own answer, or an error of its own where one error is the answer to all."""
    for at, ticket in enumerate(tickets):
        ticket.settle(failed(answers) if isinstance(answers, AgenticDSLError) else answers[at])


def worker_lost(reason: BaseException) -> EngineError:
    """The answer to requests of a queue whose thread ended or could not begin."""
    error = EngineError(f"the queue lost its worker: {str(reason)[:200] or type(reason).__name__}", help="see the log")
    error.__cause__ = reason
    return error


def failed(error: AgenticDSLError) -> EngineResult:
    """The result of one request of a batch that failed; an exception of its own, since several threads may raise it."""
    own = GenerationError(error.message, help=error.help)
    own.__cause__ = error
    return EngineResult.failed(own)
