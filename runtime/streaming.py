"""Streams: the nodes of one generation while it runs, and the `Generation` in the end.

The engine runs in a thread of its own, which the stream starts when the first node is asked for and ends when it is
closed: the engine calls back after every pass, and an exception raised there ends its call.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from agentic_dsl.errors import EngineError

if TYPE_CHECKING:
    from agentic_dsl.node_table import AnyNode
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.engines.base import OnToken
    from agentic_dsl.runtime.proven_nodes import ProvenNodes

Run = Callable[..., "Generation"]
"""Runs one generation: ``run(on_token=…)``."""


class _Abandoned(BaseException):
    """Nobody waits for the answer. No `Exception`, so that no engine takes it for a failure of its own."""


@dataclass(frozen=True, slots=True)
class _Finished:
    generation: Generation


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


_Item: TypeAlias = "AnyNode | _Finished | _Failed"
_Put: TypeAlias = "Callable[[_Item], None]"


@dataclass(frozen=True, slots=True)
class _Job:
    """What a stream's thread is given. Nothing of the stream object, so that an abandoned one can be collected."""

    run: Run
    proven: ProvenNodes
    progress: OnToken | None
    left: Event = field(default_factory=Event)


def _work(job: _Job, put: _Put) -> None:
    """The thread of a stream."""
    proven = job.proven

    def on_token(row: int, tokens: int, text: str) -> None:
        if job.left.is_set():
            raise _Abandoned
        for node in proven.read(text):
            put(node)
        if job.progress is not None:
            job.progress(row, tokens, text)

    try:
        generation = job.run(on_token=on_token)
        for node in proven.rest(generation.subgraph, generation.diagnostics, len(generation.text)):
            put(node)
        put(_Finished(generation))
    except _Abandoned:
        return
    except BaseException as exc:  # whatever it is, it is raised where the stream is read
        put(_Failed(exc))


class _Stream:
    """What both kinds of stream share: the thread, its end, and the generation."""

    def __init__(self, run: Run, proven: ProvenNodes, on_token: OnToken | None = None) -> None:
        self._job = _Job(run, proven, on_token)
        self._thread: Thread | None = None
        self._generation: Generation | None = None
        self._ended = False
        # A stream that is dropped without being closed ends its generation too.
        weakref.finalize(self, self._job.left.set)

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
        self._thread = Thread(
            target=copy_context().run, args=(_work, self._job, put), name="agentic-dsl-stream", daemon=True
        )
        self._thread.start()

    def _node(self, item: _Item) -> AnyNode | None:
        """The node that came, or None at the end; raises what the thread raised."""
        match item:
            case _Finished(generation):
                self._generation, self._ended = generation, True
                return None
            case _Failed(error):
                self._ended = True
                raise error
            case node:
                return node

    def _leave(self) -> None:
        self._ended = True
        self._job.left.set()
        if self._thread is not None:
            self._thread.join()


class SubgraphStream(_Stream, Iterator["AnyNode"]):
    """Iterates over the nodes of one generation; afterwards `generation` is the whole of it.

    Close it, or use it in a ``with``, to stop the generation early: the model then ends with the pass that it is in,
    and no thread is left. A stream that is simply dropped stops as well, a moment later. One reader at a time.
    """

    def __init__(self, run: Run, proven: ProvenNodes, on_token: OnToken | None = None) -> None:
        """Prepares a stream; nothing runs before it is read."""
        super().__init__(run, proven, on_token)
        self._items: SimpleQueue[_Item] = SimpleQueue()

    def __next__(self) -> AnyNode:
        """The next node.

        Raises:
            StopIteration: there are no more, and `generation` is there; or the stream was closed.
            GenerationError: the engine could not answer; other errors as `AgenticLLM.generate_subgraph` raises them.
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
        """Stops the generation, and waits until it has."""
        self._leave()

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
            self._start(_sender(asyncio.get_running_loop(), self._items, self._job.left))
        node = self._node(await self._items.get())
        if node is None:
            raise StopAsyncIteration
        return node

    async def aclose(self) -> None:
        """Stops the generation, and waits until it has; the event loop stays free."""
        self._job.left.set()
        await asyncio.to_thread(self._leave)

    async def __aenter__(self) -> AsyncSubgraphStream:
        """The stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the stream."""
        await self.aclose()


def _sender(loop: asyncio.AbstractEventLoop, items: asyncio.Queue[_Item], left: Event) -> _Put:
    """Hands items from the thread to the event loop; one that is closed is nobody who waits."""

    def send(item: _Item) -> None:
        try:
            loop.call_soon_threadsafe(items.put_nowait, item)
        except RuntimeError:
            left.set()

    return send
