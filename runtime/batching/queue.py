"""`BatchQueue`: requests from everywhere become batches, for engines that have no scheduler of their own.

Callers are threads and coroutines; one worker thread takes what waits, the lowest priority number first, and asks the
engine for it together. A batch is decided when it is taken: what comes later waits for the next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from threading import Condition, Thread, current_thread

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.batching.batch import ask
from agentic_dsl.runtime.batching.limits import Limits
from agentic_dsl.runtime.batching.ticket import (
    QueueStats,
    RequestRefusedError,
    RequestTimeoutError,
    Ticket,
    cancel,
    seconds_left,
    settle,
    worker_lost,
)
from agentic_dsl.runtime.engines.base import Capabilities, Engine, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.forks import renewed_in_forks

_log = logging.getLogger(__name__)

_LINGER = 5.0
"""Seconds after which a worker without work ends; the next request starts another."""


class BatchQueue:
    """An engine that collects requests for another one. Safe to call from any thread and any event loop.

    The order is that of `EngineRequest.priority`, lowest first, then that of arrival. A stream of urgent requests can
    therefore keep others waiting; ``timeout`` bounds that. An engine that fails answers the requests of that batch with
    the error and nobody else's. Whoever makes the queue closes it, which closes the engine too. A forked child has the
    queue without its requests, and the engine as far as that can be used there.

    Attributes:
        engine: what answers.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch_size: int = 8,
        max_wait: float = 0.02,
        max_pending: int = 256,
        timeout: float | None = None,
    ) -> None:
        """Keeps the engine; the worker begins with the first request.

        Args:
            engine: one that answers a list of requests faster than each alone.
            max_batch_size: the most requests of one batch.
            max_wait: seconds for which the first request of a batch waits for company.
            max_pending: the most requests that wait; more are refused at once. Those of the running batch do not count.
            timeout: seconds from a request's arrival to its answer; None or infinity: any. A request that waits until
                then never costs a pass; of one that runs, the row runs on, and its answer is thrown away.

        Raises:
            EngineError: a limit makes no sense.
        """
        self.engine = engine
        self._limits = Limits(max_batch_size, max_wait, max_pending, timeout)
        self._closed = False
        self._make_empty()
        renewed_in_forks(self)

    def _make_empty(self) -> None:
        # Futures are settled outside of this lock: their callbacks are other people's code.
        self._changed = Condition()
        self._heap: list[tuple[int, int, Ticket]] = []
        """By priority, then arrival. Holds tickets that wait no longer until they come up or are too many."""
        self._in_hand: list[Ticket] = []
        """What the worker has taken and not answered yet."""
        self._arrivals = count()
        self._since = 0.0
        """When the first of those that wait now came."""
        self._worker: Thread | None = None
        self._stats = QueueStats()

    def start_anew(self) -> None:
        """A forked child has an empty queue: its parent answers what was asked there."""
        for _, _, ticket in self._heap:
            ticket.waits = False
        self._make_empty()

    @property
    def name(self) -> str:
        """The engine's: a queue changes no answer."""
        return self.engine.name

    @property
    def identity(self) -> str:
        """The engine's."""
        return self.engine.identity

    @property
    def capabilities(self) -> Capabilities:
        """The engine's, and an order."""
        return replace(self.engine.capabilities, supports_priority=True)

    @property
    def stats(self) -> QueueStats:
        """What the queue did so far, at one moment."""
        with self._changed:
            return self._stats

    def submit(self, request: EngineRequest, *, on_token: OnToken | None = None) -> Future[EngineResult]:
        """Queues one request without waiting for it.

        Args:
            request: what is asked.
            on_token: see `OnToken`; the row is 0. What it raises becomes the future's exception.

        Returns:
            A future that can be cancelled until it has a result. Refusals and failures are results with ``error``. A
            request that waits longer than the timeout is answered so when its turn comes, or when its place is needed.
        """
        return self._submit([request], on_token)[0].future

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`. Requests that find no place are refused, each with a result of its own.

        Raises:
            EngineError: called from an ``on_token``, where the worker would wait for itself.
        """
        if current_thread() is self._worker:
            raise EngineError("a hook asks the queue that calls it", help="ask from another thread")
        tickets = self._submit(requests, on_token)
        try:
            wait([ticket.future for ticket in tickets], seconds_left(tickets), FIRST_EXCEPTION)
            return self._collected(tickets)
        finally:
            cancel(tickets)

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        """See `Engine.agenerate`. A cancelled call gives up all of its requests; ``on_token`` runs in the worker."""
        tickets = self._submit(requests, on_token)
        futures = [asyncio.wrap_future(ticket.future) for ticket in tickets]
        try:
            if futures:
                await asyncio.wait(futures, timeout=seconds_left(tickets), return_when=FIRST_EXCEPTION)
            return self._collected(tickets)
        finally:
            cancel(tickets)
            for future in futures:  # what is raised is raised once, above
                future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def close(self) -> None:
        """Refuses what waits, lets the running batch end, and closes the engine. Calling it again does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            waiting = [ticket for _, _, ticket in self._heap if ticket.waits]
            worker = self._worker
            self._changed.notify_all()
        refused = [ticket.settle(EngineResult.failed(RequestRefusedError.closed())) for ticket in waiting]
        with self._changed:
            self._count(refused=sum(refused))
        if worker is not None and worker is not current_thread():
            worker.join()
        self.engine.close()

    # --- before the batch --------------------------------------------------------------------------------------------

    def _submit(self, requests: Sequence[EngineRequest], on_token: OnToken | None) -> list[Ticket]:
        """Queues requests, all before any other caller's; those without a place have their results at once."""
        now = time.monotonic()
        deadline = self._limits.deadline(now)
        tickets = [Ticket(request, row, on_token, now, deadline) for row, request in enumerate(requests)]
        if deadline is not None:
            self._drop_late(now, len(tickets))
        with self._changed:
            free = 0 if self._closed else self._limits.max_pending - self._stats.waiting
            taken, refused = tickets[: max(free, 0)], tickets[max(free, 0) :]
            if taken and not self._stats.waiting:
                self._since = now
            for ticket in taken:
                heappush(self._heap, (ticket.request.priority, next(self._arrivals), ticket))
            self._count(waiting=len(taken), refused=len(refused))
            self._changed.notify_all()
            closed = self._closed
        for ticket in refused:
            ticket.waits = False
            refusal = RequestRefusedError.closed() if closed else RequestRefusedError.full(self._limits.max_pending)
            ticket.settle(EngineResult.failed(refusal))
        for ticket in taken:
            ticket.future.add_done_callback(partial(self._ended, ticket))
        self._start_worker()
        return tickets

    def _start_worker(self) -> None:
        """Sees to it that somebody works where something waits."""
        with self._changed:
            if self._worker is not None or not self._stats.waiting or self._closed:
                return
            # A daemon: a queue that nobody closed must not keep the interpreter from ending.
            worker = self._worker = Thread(target=self._work, name="agentic-dsl-batches", daemon=True)
            try:
                worker.start()
                return
            except RuntimeError as exc:
                reason = exc
        self._break_off(reason)

    def _drop_late(self, now: float, wanted: int) -> None:
        """Makes room: what waits beyond its deadline is answered, where places are short."""
        with self._changed:
            if self._stats.waiting + wanted <= self._limits.max_pending:
                return
            late = [ticket for _, _, ticket in self._heap if ticket.waits and ticket.is_late(now)]
        for ticket in late:
            self._expire(ticket)

    def _ended(self, ticket: Ticket, future: Future[EngineResult]) -> None:
        """The future has a result or was cancelled: the ticket no longer counts as one that waits."""
        if future.cancelled():
            future.set_running_or_notify_cancel()  # else `concurrent.futures.wait` never learns of it
        with self._changed:
            self._count(cancelled=future.cancelled(), waiting=-ticket.waits)
            ticket.waits = False
            if len(self._heap) > 2 * (self._stats.waiting + self._limits.max_batch_size):
                self._heap = [entry for entry in self._heap if entry[2].waits]
                heapify(self._heap)

    def _count(self, **changes: float) -> None:
        """Adds to the statistics; the lock is held."""
        now = {name: getattr(self._stats, name) + change for name, change in changes.items()}
        self._stats = replace(self._stats, **now)

    # --- the batch ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """The worker: one batch after the other, until nothing has come for a while or the queue is closed."""
        try:
            while (taken := self._next()) is not None:
                batch, late = taken
                for ticket in late:
                    self._expire(ticket)
                if batch:
                    self._run(batch)
        # Nobody above this thread would hear of it, and every caller would wait forever.
        except BaseException as exc:
            self._break_off(exc)

    def _break_off(self, reason: BaseException) -> None:
        """Answers all that wait or run with an error, for their worker is gone; the next request starts another."""
        _log.error("the worker of a queue before %s is gone", type(self.engine).__name__, exc_info=reason)
        with self._changed:
            lost = self._in_hand + [ticket for _, _, ticket in self._heap if ticket.waits]
            for ticket in lost:
                ticket.waits = False
            self._heap, self._in_hand, self._worker = [], [], None
            self._stats = replace(self._stats, waiting=0, running=0)
        settle(lost, worker_lost(reason))

    def _next(self) -> tuple[list[Ticket], list[Ticket]] | None:
        """Waits for a batch: its tickets, and those whose deadline has passed. None ends the worker."""
        with self._changed:
            self._in_hand = []
            self._changed.wait_for(lambda: self._stats.waiting or self._closed, _LINGER)
            if self._closed or not self._stats.waiting:
                self._worker = None
                return None
            left = self._since + self._limits.max_wait - time.monotonic()
            self._changed.wait_for(lambda: self._stats.waiting >= self._limits.full or self._closed, max(left, 0.0))
            batch: list[Ticket] = []
            late: list[Ticket] = []
            now = time.monotonic()
            while self._heap and len(batch) < self._limits.max_batch_size and not self._closed:
                ticket = heappop(self._heap)[2]
                if ticket.waits:
                    ticket.waits = False
                    self._in_hand.append(ticket)
                    (late if ticket.is_late(now) else batch).append(ticket)
            waited = sum(now - ticket.submitted for ticket in batch)
            self._count(waiting=-len(batch) - len(late), running=len(batch), requests=len(batch))
            self._count(batches=bool(batch), waited_seconds=waited)
            return batch, late

    def _run(self, batch: Sequence[Ticket]) -> None:
        """Asks the engine, and hands every answer to whoever still waits for it."""
        answers = ask(self.engine, batch, self._expire)
        with self._changed:
            self._count(running=-len(batch))
        settle(batch, answers)

    def _collected(self, tickets: Sequence[Ticket]) -> list[EngineResult]:
        """The results of one call, once each is there, one hook raised, or the time is over."""
        for ticket in tickets:
            if ticket.future.done() and not ticket.future.cancelled():
                ticket.future.result()  # raises what a hook raised
        for ticket in tickets:
            if not ticket.future.done():
                self._expire(ticket)
        return [ticket.future.result() for ticket in tickets]

    def _expire(self, ticket: Ticket) -> None:
        """Answers a request that nobody has answered in time."""
        if ticket.settle(EngineResult.failed(RequestTimeoutError.after(self._limits.timeout))):
            with self._changed:
                self._count(timed_out=1)
