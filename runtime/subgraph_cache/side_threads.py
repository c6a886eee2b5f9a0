"""`SideThreads`: threads for work that may wait for a file, so that an event loop does not.

They are not those of `asyncio.to_thread`: these may all be taken by callers that wait for this very work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from agentic_dsl.runtime.forks import renewed_in_forks

T = TypeVar("T")

_THREADS = 4
"""A file lets one in at a time; the others check what they read."""


class SideThreads:
    """A few threads, begun when there is work for them. Their work must wait for no other work of theirs."""

    def __init__(self) -> None:
        self.start_anew()
        renewed_in_forks(self)

    def start_anew(self) -> None:
        """No thread has begun."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="agentic-dsl-cache")

    async def run(self, work: Callable[[], T], undo: Callable[[T], None]) -> T:
        """The result of some work.

        Args:
            work: once begun, it ends, whatever becomes of the caller.
            undo: called, in a thread too, with a result that comes after its caller was cancelled.

        Raises:
            Exception: what the work raises.
        """
        handed_over: Future[T] = Future()

        def do() -> T:
            result = work()
            try:
                handed_over.set_result(result)
            except InvalidStateError:  # the caller is gone
                undo(result)
            return result

        try:
            return await asyncio.wrap_future(self._begin(do))
        except BaseException:
            if not handed_over.cancel():
                self._begin(lambda: undo(handed_over.result()))
            raise

    async def finish(self, work: Callable[[], T]) -> T:
        """The result of some work that is done even if the caller is cancelled.

        Raises:
            Exception: what the work raises.
        """
        return await asyncio.shield(asyncio.wrap_future(self._begin(work)))

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._pool.submit(copy_context().run, work)
        except RuntimeError:  # the interpreter ends, and begins no threads any more
            done: Future[T] = Future()
            done.set_result(work())
            return done
