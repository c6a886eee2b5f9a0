"""What is known of each request once it is over, and who is told: traces, metrics, spans.

`AgenticLLM` opens one `Call` for each batch, a single task being a batch of one, and says at each stage what it does::

    with self.observers.call(self.engine.name, len(prompts)) as call:
        with call.compiling():
            jobs = …
        with call.asking(jobs.jobs):
            results = self.engine.generate(…)
        call.answered(jobs.jobs, results)
        with call.checking():
            generations = jobs.conclude(results)
        call.done(generations)

The call turns this into one `Observation` for each task, also where the engine fails as a whole, and gives it to every
observer. An observer that fails is a line in the log: it never costs an answer.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Stats

if TYPE_CHECKING:
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.jobs import Job

_log = logging.getLogger(__name__)

Stage = Literal["compile", "engine", "reparse"]
"""What a call does, in this order: constraints to grammars, prompts to answers, answers to checked subgraphs."""

Outcome = Literal["valid", "invalid", "error"]
"""``valid``: a checked subgraph; ``invalid``: an answer with findings; ``error``: no answer."""

CANCELLED = "cancelled"
"""The error code of a request whose caller no longer wants the answer."""

_UNEXPECTED = "bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInfo:
    """What the tasks of one call have in common.

    Attributes:
        engine: `Engine.name`: the engine, a slash, and its model.
        count: how many tasks.
        has_cache: whether answers may come from a subgraph cache.
        started: when the call began, in UTC.
        key: of this call alone, and the same where its engine's name is learned on the way.
    """

    engine: str
    count: int
    has_cache: bool = False
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    key: object = field(default_factory=object, repr=False, compare=False)

    @property
    def engine_name(self) -> str:
        """The engine without its model."""
        return self.engine.partition("/")[0]

    @property
    def model(self) -> str | None:
        """The model, None where the engine names none."""
        return self.engine.partition("/")[2] or None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One task that is over.

    Attributes:
        call: the call that it was part of.
        id: of this request, unique.
        asked_ns: when the engine was asked, in nanoseconds since the epoch; the start of the call where it was not.
        request: what the engine was asked; None where the task was refused before.
        result: the engine's answer; None where there is none, be it for the cache or for an error.
        generation: what the caller got; None where the whole call failed.
        failure: what ended the whole call, None where nothing did.
    """

    call: CallInfo
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    asked_ns: int
    request: EngineRequest | None = None
    result: EngineResult | None = None
    generation: Generation | None = None
    failure: BaseException | None = None

    @property
    def stats(self) -> Stats:
        """What it cost; all zero where no engine answered."""
        return Stats() if self.generation is None or self.generation.cached else self.generation.stats

    @property
    def cached(self) -> bool:
        """Whether the answer came from the subgraph cache."""
        return self.generation is not None and self.generation.cached

    @cached_property
    def error(self) -> str | None:
        """The code of what went wrong, None where there is an answer."""
        error = self.failure if self.generation is None else self.generation.error
        match error:
            case None:
                return None
            case AgenticDSLError():
                return error.code
            case Exception():
                return _UNEXPECTED
            case _:  # an interruption, a cancelled coroutine, a stream that nobody reads on
                return CANCELLED

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if self.error is not None:
            return "error"
        return "valid" if self.generation is not None and self.generation.valid else "invalid"


class Observer(Protocol):
    """Who is told of requests. Called from any thread; should be quick, for it is called before the answer is given."""

    def during(self, call: CallInfo) -> AbstractContextManager[object]:
        """Entered while a call runs, and left once all of its tasks were observed."""
        ...

    def stage(self, call: CallInfo, stage: Stage) -> AbstractContextManager[object]:
        """Entered while a stage of the call runs."""
        ...

    def observe(self, seen: Observation) -> None:
        """Takes one task that is over."""
        ...


class FinishedOnly:
    """The rest of `Observer` for one that only counts what is over."""

    def during(self, _call: CallInfo) -> AbstractContextManager[object]:
        """See `Observer.during`."""
        return nullcontext()

    def stage(self, _call: CallInfo, _stage: Stage) -> AbstractContextManager[object]:
        """See `Observer.stage`."""
        return nullcontext()

    def observe(self, seen: Observation) -> None:
        """See `Observer.observe`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Observers:
    """Everybody who is told, in order; nobody by default."""

    observers: tuple[Observer, ...] = ()

    def call(self, engine: str, count: int, *, has_cache: bool = False) -> Call:
        """Opens a call of ``count`` tasks on the engine of that name (`Engine.name`).

        Args:
            engine: the name of the engine.
            count: how many tasks.
            has_cache: whether answers may come from a subgraph cache; else none is counted as a miss.
        """
        return Call(self.observers, CallInfo(engine=engine, count=count, has_cache=has_cache))

    @classmethod
    def installed(cls, *others: Observer) -> Observers:
        """Spans and metrics, as far as their libraries are installed, and others."""
        from agentic_dsl.runtime.observation.metrics import Metrics
        from agentic_dsl.runtime.observation.spans import Spans

        found = (Spans.where_installed(), Metrics.where_installed(), *others)
        return cls(tuple(observer for observer in found if observer is not None))


class Call:
    """One call that runs; used once, by one thread at a time."""

    def __init__(self, observers: Sequence[Observer], info: CallInfo) -> None:
        self.info = info
        self._observers = observers
        self._open = ExitStack()
        self._asked_ns = time.time_ns()
        self._jobs: Sequence[Job] = ()
        self._results: dict[int, EngineResult] = {}
        self._seen: set[int] = set()

    def __enter__(self) -> Call:
        for observer in self._observers:
            self._enter(self._open, observer, lambda o: o.during(self.info))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        self._open.__exit__(kind, error, traceback)

    def compiling(self) -> AbstractContextManager[None]:
        """While constraints become requests."""
        return self._stage("compile")

    def asking(self, jobs: Sequence[Job]) -> AbstractContextManager[None]:
        """While the engine, or the cache before it, is asked these jobs. Others of the call were refused before."""
        self._jobs = jobs
        self._asked_ns = time.time_ns()
        return self._stage("engine")

    def checking(self) -> AbstractContextManager[None]:
        """While answers are parsed and checked."""
        return self._stage("reparse")

    def answered(self, jobs: Sequence[Job], results: Sequence[EngineResult], engine: str = "") -> None:
        """The engine has answered these jobs; those that the cache answers are not among them.

        Args:
            jobs: what it was asked.
            results: its answers.
            engine: its name where that may have changed: some learn from their server which model it has.
        """
        if engine and engine != self.info.engine:
            self.info = replace(self.info, engine=engine)
        self._results |= {job.number: result for job, result in zip(jobs, results, strict=True)}

    def done(self, generations: Sequence[Generation]) -> None:
        """All tasks are over, with one generation each."""
        requests = self._requests
        for number, generation in enumerate(generations):
            self._tell(number, requests.get(number), generation=generation)

    @contextmanager
    def _stage(self, stage: Stage) -> Iterator[None]:
        with ExitStack() as open_:
            for observer in self._observers:
                self._enter(open_, observer, lambda o: o.stage(self.info, stage))
            yield

    def _fail(self, error: BaseException) -> None:
        """Every task that is not over has failed, those included that never reached the engine."""
        requests = self._requests
        for number in range(self.info.count):
            if number not in self._seen:
                self._tell(number, requests.get(number), failure=error)

    @property
    def _requests(self) -> Mapping[int, EngineRequest]:
        return {job.number: job.request for job in self._jobs}

    def _tell(
        self,
        number: int,
        request: EngineRequest | None,
        *,
        generation: Generation | None = None,
        failure: BaseException | None = None,
    ) -> None:
        self._seen.add(number)
        seen = Observation(
            call=self.info,
            asked_ns=self._asked_ns,
            request=request,
            result=self._results.get(number),
            generation=generation,
            failure=failure,
        )
        for observer in self._observers:
            with _harmless(observer):
                observer.observe(seen)

    def _enter(self, stack: ExitStack, observer: Observer, open_: _Opens) -> None:
        """Enters what an observer gives, so that neither its beginning nor its end can fail the call."""
        with _harmless(observer):
            entered = open_(observer)
            entered.__enter__()
            stack.push(_Leaving(observer, entered).leave)


class _Opens(Protocol):
    def __call__(self, observer: Observer, /) -> AbstractContextManager[object]: ...


@dataclass(frozen=True, slots=True)
class _Leaving:
    """The end of what an observer began."""

    observer: Observer
    entered: AbstractContextManager[object]

    def leave(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        with _harmless(self.observer):
            self.entered.__exit__(kind, error, traceback)
        return False


@contextmanager
def _harmless(observer: Observer) -> Iterator[None]:
    try:
        yield
    except Exception:
        _log.warning("%s failed; the answer is not affected", type(observer).__name__, exc_info=True)


__all__ = ["CANCELLED", "Call", "CallInfo", "FinishedOnly", "Observation", "Observer", "Observers", "Outcome", "Stage"]
