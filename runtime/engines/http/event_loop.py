"""One event loop in a thread of its own, so that engines of servers answer callers with and without one.

Connections belong to the loop that opened them. With a loop of the engine's own they outlive the caller's, and one
limit of concurrency holds for all threads and loops that share the engine.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from agentic_dsl.errors import EngineError

T = TypeVar("T")

Ending = Callable[[], Coroutine[Any, Any, None]]

_STOP_SECONDS = 5.0


class EventLoopThread:
    """Starts with the first call. Safe to use from any thread; `run` not from within its own loop."""

    def __init__(self, name: str, ending: Ending) -> None:
        """Starts nothing.

        Args:
            name: of the thread.
            ending: run on the loop at its very end, to let go of what belongs to it.
        """
        self._name = name
        self._ending = ending
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for some work. Interrupted (Ctrl-C), it cancels the work first.

        Raises:
            EngineError: the thread was closed before or meanwhile, or would wait for itself.
        """
        if self._thread is threading.current_thread():
            work.close()
            raise EngineError(
                "the engine cannot be asked from its own on_token", help="note what is needed, and ask after the answer"
            )
        future = self._submit(work)
        try:
            return future.result()
        except CancelledError as exc:
            raise _closed() from exc
        except BaseException:
            future.cancel()
            raise

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """`run` for callers with a loop of their own. Cancelled, the work is cancelled too."""
        future = self._submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and (task is None or not task.cancelling()):
                raise _closed() from None
            raise

    def close(self) -> None:
        """Cancels what runs and ends the thread. Calling it again does nothing."""
        with self._lock:
            self._closed = True
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or self._process != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(_STOP_SECONDS)

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._closed:
                work.close()
                raise _closed()
            # A forked process has the object, but not the thread.
            if self._loop is None or self._process != os.getpid():
                self._loop = asyncio.new_event_loop()
                arguments = (self._loop, self._ending)
                self._thread = threading.Thread(target=_serve, args=arguments, name=self._name, daemon=True)
                self._process = os.getpid()
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)


def _serve(loop: asyncio.AbstractEventLoop, ending: Ending) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        running = asyncio.all_tasks(loop)
        for task in running:
            task.cancel()
        loop.run_until_complete(_settled(running))
        loop.run_until_complete(ending())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _settled(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _closed() -> EngineError:
    return EngineError("the engine is closed", help="open a new one")
