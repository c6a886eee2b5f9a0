"""Streams: the nodes of one generation while it runs, and the `Generation` in the end.

The generation runs in a thread of its own, with an event loop of its own, which the stream starts when the first node
is asked for. Closing the stream cancels it there: whatever only waits (in a queue, for an equal request) ends at once.
An engine that blocks calls back after every pass, and an exception raised there ends its call.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

from agentic_dsl.errors import EngineError, GenerationError

if TYPE_CHECKING:
    from agentic_dsl.node_table import AnyNode
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.engines.base import OnToken
    from agentic_dsl.runtime.proven_nodes import ProvenNodes

P = ParamSpec("P")
T = TypeVar("T")

Run = Callable[..., Awaitable["Generation"]]
"""Runs one generation: ``await run(on_token=…)``. Cancelled, it ends what it waits for."""

_THREAD = "agentic-dsl-stream"


class _Abandoned(BaseException):
    """Nobody waits for the answer. No `Exception`, so that no engine takes it for a failure of its own."""


@dataclass(frozen=True, slots=True)
class _Finished:
    generation: Generation


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


@dataclass(frozen=True, slots=True)
class _Left:
    """The stream was closed; wakes a reader that waits."""


_Item: TypeAlias = "AnyNode | _Finished | _Failed | _Left"
_Put: TypeAlias = "Callable[[_Item], None]"


@dataclass(slots=True, eq=False)
class _Job:
    """What a stream's thread is given. Nothing of the stream object, so that an abandoned one can be collected.

    Attributes:
        run: the generation.
        proven: finds its nodes.
        progress: the caller's own hook.
        left: nobody waits any more.
        cancel: ends the generation, from any thread; None before it has begun and once it was called.
        hooked: the thread that is in the caller's hook.
        refused: why the stream fails although the generation goes on.
    """

    run: Run
    proven: ProvenNodes
    progress: OnToken | None
    left: Event = field(default_factory=Event)
    cancel: Callable[[], object] | None = None
    hooked: Thread | None = None
    refused: GenerationError | None = None

    def leave(self) -> None:
        """Gives the generation up. Takes no lock of its own: the garbage collector may call it anywhere."""
        self.left.set()
        cancel, self.cancel = self.cancel, None
        if cancel is not None:
            with suppress(RuntimeError):  # the event loop is closed: the generation is over
                cancel()

    def on_token(self, put: _Put, row: int, tokens: int, text: str) -> None:
        """What the engine calls after each pass."""
        if self.left.is_set():
            raise _Abandoned
        try:
            nodes = self.proven.read(text)
        except GenerationError as exc:
            # Concerns this reader alone: equal requests that wait for the same answer must not get it.
            self.refused = exc
            raise _Abandoned from None
        for node in nodes:
            put(node)
        if self.progress is not None:
            self.hooked = current_thread()
            try:
                self.progress(row, tokens, text)
            finally:
                self.hooked = None


def _work(job: _Job, put: _Put) -> None:
    """The thread of a stream."""
    try:
        generation = asyncio.run(_generation(job, put))
        for node in job.proven.rest(generation.subgraph, generation.diagnostics, len(generation.text)):
            put(node)
        put(_Finished(generation))
    except BaseException as exc:  # whatever it is, it is raised where the stream is read
        put(_Left() if job.left.is_set() else _Failed(job.refused or exc))


async def _generation(job: _Job, put: _Put) -> Generation:
    """The generation, in the event loop of its stream."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.set_default_executor(_Threads())
    job.cancel = partial(loop.call_soon_threadsafe, task.cancel)
    if job.left.is_set():  # looked at behind the line above, so that no way to leave is missed
        raise _Abandoned
    return await job.run(on_token=partial(job.on_token, put))


class _Threads(ThreadPoolExecutor):
    """A thread for each call that blocks. Unlike those of a pool they do not keep the interpreter from ending."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Thread] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Starts a call, which cannot be cancelled."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        thread = Thread(target=_settle, args=(future, partial(fn, *args, **kwargs)), name=_THREAD, daemon=True)
        thread.start()
        self._calls.append(thread)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Waits for the calls that run."""
        for thread in self._calls if wait else ():
            thread.join()
        super().shutdown(wait, cancel_futures=cancel_futures)


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as exc:  # belongs to whoever waits for the call
        future.set_exception(exc)


class _Stream:
    """What both kinds of stream share: the thread, its end, and the generation."""

    def __init__(self, run: Run, proven: ProvenNodes, on_token: OnToken | None = None) -> None:
        self._job = _Job(run, proven, on_token)
        self._thread: Thread | None = None
        self._generation: Generation | None = None
        self._ended = False
        # A stream that is dropped without being closed ends its generation too.
        weakref.finalize(self, self._job.leave)

    @property
    def generation(self) -> Generation:
        """The whole generation, once the stream is exhausted.

        Raises:
            EngineError: the stream is not exhausted, failed or was closed early.
        """
        if self._generation is None:
            raise EngineError("the generation is not finished", help="read the stream to its end first")
        return self._generation

    def _start(self, put: _Put) -> None:
        thread = Thread(target=copy_context().run, args=(_work, self._job, put), name=_THREAD, daemon=True)
        thread.start()
        self._thread = thread  # only now: one that has not begun cannot be waited for

    def _node(self, item: _Item) -> AnyNode | None:
        """The node that came, or None at the end; raises what the thread raised."""
        match item:
            case _Finished(generation):
                self._generation, self._ended = generation, True
                return None
            case _Left():
                self._ended = True
                return None
            case _Failed(error):
                self._ended = True
                raise error
            case node:
                return node

    def _leave(self) -> None:
        self._ended = True
        self._job.leave()

    def _join(self) -> None:
        """Waits for the thread, unless the thread waits for the caller, who is in a hook of the generation."""
        if self._thread is not None and current_thread() is not self._job.hooked:
            self._thread.join()


class SubgraphStream(_Stream, Iterator["AnyNode"]):
    """Iterates over the nodes of one generation; afterwards `generation` is the whole of it.

    Close it, or use it in a ``with``, to stop the generation early: the model then ends with the pass that it is in, a
    request that still waits is given up, and no thread is left. Any thread may close it; a reader that waits gets the
    end. A stream that is simply dropped stops as well, a moment later. One reader at a time.

    The nodes are those of the answer, in order. Where an engine begins an answer again after some were given, nothing
    comes until the new text has them too; if it has others, the stream fails.
    """

    def __init__(self, run: Run, proven: ProvenNodes, on_token: OnToken | None = None) -> None:
        """Prepares a stream; nothing runs before it is read."""
        super().__init__(run, proven, on_token)
        self._items: SimpleQueue[_Item] = SimpleQueue()

    def __next__(self) -> AnyNode:
        """The next node.

        Raises:
            StopIteration: there are no more, and `generation` is there; or the stream was closed.
            GenerationError: the engine could not answer, or began its answer again and nodes that were given no longer
                hold; other errors as `AgenticLLM.generate_subgraph` raises them.
        """
        if self._ended:
            raise StopIteration
        if self._thread is None:
            self._start(self._items.put)
        node = self._node(self._items.get())
        if node is None:
            raise StopIteration
        return node

    def close(self) -> None:
        """Stops the generation, and waits until it has; called from a hook of the generation it does not wait."""
        self._leave()
        self._join()

    def __enter__(self) -> SubgraphStream:
        """The stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the stream."""
        self.close()


class AsyncSubgraphStream(_Stream, AsyncIterator["AnyNode"]):
    """`SubgraphStream` for ``async for`` and ``async with``, in the event loop that reads it first."""

    def __init__(self, run: Run, proven: ProvenNodes, on_token: OnToken | None = None) -> None:
        """Prepares a stream; nothing runs before it is read."""
        super().__init__(run, proven, on_token)
        self._items: asyncio.Queue[_Item] = asyncio.Queue()

    @classmethod
    def of(cls, stream: SubgraphStream) -> AsyncSubgraphStream:
        """The same generation as another stream that nobody has read yet."""
        job = stream._job
        return cls(job.run, job.proven, job.progress)

    async def __anext__(self) -> AnyNode:
        """The next node; raises `StopAsyncIteration` at the end, and errors as `SubgraphStream` does."""
        if self._ended:
            raise StopAsyncIteration
        if self._thread is None:
            self._start(_sender(asyncio.get_running_loop(), self._items, self._job))
        node = self._node(await self._items.get())
        if node is None:
            raise StopAsyncIteration
        return node

    async def aclose(self) -> None:
        """Stops the generation, and waits until it has; the event loop stays free."""
        self._leave()
        await asyncio.to_thread(self._join)

    async def __aenter__(self) -> AsyncSubgraphStream:
        """The stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the stream."""
        await self.aclose()


def _sender(loop: asyncio.AbstractEventLoop, items: asyncio.Queue[_Item], job: _Job) -> _Put:
    """Hands items from the thread to the event loop; one that is closed is nobody who waits."""

    def send(item: _Item) -> None:
        try:
            loop.call_soon_threadsafe(items.put_nowait, item)
        except RuntimeError:
            job.leave()

    return send
