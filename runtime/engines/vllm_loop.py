"""The thread that owns vLLM's engine: it alone adds, steps and aborts; callers wait for what concerns them.

vLLM's engine object is not safe to share, and its scheduler is best when requests of all callers meet in it. So callers
hand over jobs and read their outputs from queues of their own::

    caller ──Job──▶ inbox ──▶ add_request ┐
    caller ◀─outputs── job.outbox ◀── step ┘
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from agentic_dsl.errors import AgenticDSLError, EngineError

_log = logging.getLogger(__name__)


class Outbox(Protocol):
    """Where a caller reads; a `queue.SimpleQueue` is one."""

    def put(self, item: tuple[int, Any], /) -> None:
        """Adds an item, from the engine's thread. Neither waits nor raises."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One request on its way.

    Attributes:
        row: its number in its caller's call.
        request_id: as vLLM knows it.
        arguments: of vLLM's ``add_request``, beside the id.
        outbox: where its caller reads (row, vLLM's output), or (row, what went wrong).
    """

    row: int
    request_id: str
    arguments: dict[str, Any]
    outbox: Outbox = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Errand:
    """Something that is done between two steps; whoever waits gets what it returned, or what went wrong."""

    do: Callable[[Any], Any]
    done: SimpleQueue[tuple[Any, AgenticDSLError | None]] = field(default_factory=SimpleQueue, repr=False)

    def run(self, engine: Any) -> None:
        try:
            self.done.put((self.do(engine), None))
        # What is wrong with an errand stays with it, as with a request.
        except Exception as exc:
            error = EngineError(f"vLLM could not do it: {exc}", help="see the log for what it says")
            error.__cause__ = exc
            self.done.put((None, error))


@dataclass(frozen=True, slots=True)
class _NotMade:
    """The engine could not be made."""

    error: BaseException


class EngineLoop:
    """Runs an engine in a thread of its own until `close`.

    The engine is made in that thread too: its libraries bind threads and devices to the one that they are used from.

    Attributes:
        engine: vLLM's, for what never changes in it; everything else is this thread's.
    """

    def __init__(self, make: Callable[[], Any], close: Callable[[Any], None]) -> None:
        """Makes the engine and waits for it.

        Args:
            make: gives vLLM's engine; what it raises is raised here.
            close: lets go of it.
        """
        self._make, self._close = make, close
        self._inbox: SimpleQueue[Job | _Errand | list[str] | None] = SimpleQueue()
        self._open: dict[str, Job] = {}
        self._ready: SimpleQueue[Any] = SimpleQueue()
        self._gate = threading.Lock()
        self._failed: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="vllm-engine", daemon=True)
        self._thread.start()
        if isinstance(made := self._ready.get(), _NotMade):
            self._closed = True
            raise made.error
        self.engine: Any = made

    def submit(self, jobs: Iterable[Job]) -> None:
        """Hands jobs over; each gets outputs until a finished one or an error.

        Raises:
            EngineError: the engine is closed or has failed.
        """
        # Under the gate: what is put before the closing mark is answered, and nothing is put behind it.
        with self._gate:
            self._require_open()
            for job in jobs:
                self._inbox.put(job)

    def abort(self, request_ids: list[str]) -> None:
        """Ends requests; finished ones are left out by vLLM itself."""
        with self._gate:
            if not self._closed:
                self._inbox.put(request_ids)

    def call(self, do: Callable[[Any], Any]) -> Any:
        """Does something with vLLM's engine in its thread, while it takes no step; gives what it returns.

        Raises:
            EngineError: the engine is closed or has failed, or ``do`` raised (the cause).
        """
        errand = _Errand(do)
        with self._gate:
            self._require_open()
            self._inbox.put(errand)
        value, error = errand.done.get()
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Ends the thread and the engine; requests that are open get an error. Calling it again does nothing."""
        with self._gate:
            already, self._closed = self._closed, True
            if not already:
                self._inbox.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _require_open(self) -> None:
        if self._failed is not None:
            raise EngineError("the engine has failed and answers nothing any more", help="make a new one")
        if self._closed:
            raise EngineError("the engine is closed", help="make a new one")

    def _run(self) -> None:
        try:
            engine = self._make()
        except BaseException as exc:  # the constructor raises it
            self._ready.put(_NotMade(exc))
            return
        self._ready.put(engine)
        try:
            while self._receive(engine):
                if self._open:
                    self._deliver(engine.step())
        # vLLM's engine is not usable after an error in a step, whatever it was.
        except Exception as exc:
            _log.exception("vLLM failed")
            with self._gate:
                self._failed, self._closed = exc, True
        finally:
            self._end(self._failed)
            self._close(engine)

    def _receive(self, engine: Any) -> bool:
        """Takes in what has come, waiting where nothing else is to be done; False where it is time to end."""
        wait = not self._open
        while True:
            try:
                item = self._inbox.get(block=wait)
            except Empty:
                return True
            wait = False
            match item:
                case None:
                    return False
                case Job():
                    self._add(engine, item)
                case _Errand():
                    item.run(engine)
                case _:
                    gone = [name for name in item if self._open.pop(name, None) is not None]
                    if gone:
                        engine.abort_request(gone)

    def _add(self, engine: Any, job: Job) -> None:
        try:
            engine.add_request(job.request_id, **job.arguments)
        # What is wrong with one request (vLLM raises ValueError and its own kinds) stays with it.
        except Exception as exc:
            job.outbox.put((job.row, exc))
        else:
            self._open[job.request_id] = job

    def _deliver(self, outputs: Iterable[Any]) -> None:
        for output in outputs:
            if (job := self._open.get(output.request_id)) is None:
                continue
            if output.finished:
                del self._open[output.request_id]
            job.outbox.put((job.row, output))

    def _end(self, failed: BaseException | None) -> None:
        """Answers everything that is open or waits."""
        jobs = list(self._open.values())
        self._open.clear()
        while True:
            try:
                item = self._inbox.get_nowait()
            except Empty:
                break
            if isinstance(item, Job):
                jobs.append(item)
            elif isinstance(item, _Errand):
                item.done.put((None, _ended(failed)))
        for job in jobs:
            job.outbox.put((job.row, _ended(failed)))


def _ended(failed: BaseException | None) -> AgenticDSLError:
    if failed is None:
        return EngineError("the engine was closed before the answer was there", help="make a new one")
    reason = next(iter(str(failed).strip().splitlines()), "") or type(failed).__name__
    error = EngineError(f"vLLM failed: {reason[:200]}", help="see the log for what it says")
    error.__cause__ = failed
    return error
