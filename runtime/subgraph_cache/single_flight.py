"""`SingleFlight`: of equal requests at the same time one does the work, and the others get what it got.

What ends for one ends for all: a result, or an error of ours (`AgenticDSLError`), which says something about the
request. Any other end (Ctrl-C, a cancelled task, an exception of a caller's hook) concerns the caller alone, so those
who waited are told to try themselves, and the first of them does.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.forks import renewed_in_forks

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How the work ended.

    Attributes:
        values: the result, alone; empty where there is none.
        error: what all that asked are told, None where there is a result or the work was given up.
    """

    values: tuple[T, ...] = ()
    error: AgenticDSLError | None = None

    @property
    def given_up(self) -> bool:
        """Whether whoever waits has to try again."""
        return not self.values and self.error is None

    def unwrap(self) -> T:
        """The result.

        Raises:
            AgenticDSLError: what the work raised, as an exception of the caller's own.
        """
        if self.error is not None:
            raise copy.copy(self.error) from self.error
        [value] = self.values
        return value


class Claim(Generic[T]):
    """One caller's part in a piece of work.

    Attributes:
        name: of the work.
        leads: whether this caller does the work; it then must call `done`, `fail` or `give_up`. The first call counts.
    """

    def __init__(self, flights: SingleFlight[T], name: str) -> None:
        self.leads = True
        self.name = name
        self._flights = flights
        self._future: Future[Outcome[T]] = Future()

    def follower(self) -> Claim[T]:
        """The part of a caller that waits."""
        claim = copy.copy(self)
        claim.leads = False
        return claim

    def done(self, value: T) -> None:
        """The work gave a result."""
        self._end(Outcome((value,)))

    def fail(self, error: BaseException) -> None:
        """The work raised an exception."""
        self._end(Outcome(error=error) if isinstance(error, AgenticDSLError) else Outcome())

    def give_up(self) -> None:
        """Whoever waits shall try again."""
        self._end(Outcome())

    def wait(self) -> Outcome[T]:
        """How the work ended, once it has."""
        return self._future.result()

    async def await_(self) -> Outcome[T]:
        """`wait` that leaves the event loop free."""
        # Shielded: a caller that is cancelled must not cancel what the others wait for.
        return await asyncio.shield(asyncio.wrap_future(self._future))

    def is_part_of(self, other: Claim[T]) -> bool:
        """Whether both are parts of one piece of work."""
        return self._future is other._future

    def _end(self, outcome: Outcome[T]) -> None:
        if self._flights.take_off(self):
            self._future.set_result(outcome)


class SingleFlight(Generic[T]):
    """The pieces of work that are under way, by name; for threads and event loops alike.

    In a forked child none is: what threads of its parent work on is done there.
    """

    def __init__(self) -> None:
        self.start_anew()
        renewed_in_forks(self)

    def start_anew(self) -> None:
        """Nothing is under way."""
        self._lock = threading.Lock()
        self._flights: dict[str, Claim[T]] = {}

    def claim(self, name: str) -> Claim[T]:
        """A part in the work of this name: the first caller leads, until it ends the work."""
        with self._lock:
            if name in self._flights:
                return self._flights[name].follower()
            claim = self._flights[name] = Claim(self, name)
            return claim

    def take_off(self, claim: Claim[T]) -> bool:
        """The work of a claim is under way no more; False where it was not."""
        with self._lock:
            known = self._flights.get(claim.name)
            if known is None or not known.is_part_of(claim):
                return False
            del self._flights[claim.name]
            return True

    def run(self, name: str, work: Callable[[], T]) -> T:
        """The result of the work, which this caller or another one does.

        Raises:
            AgenticDSLError: the work raised it, here or at another caller.
        """
        while True:
            claim = self.claim(name)
            if not claim.leads:
                outcome = claim.wait()
                if outcome.given_up:
                    continue
                return outcome.unwrap()
            try:
                value = work()
            except BaseException as exc:
                claim.fail(exc)
                raise
            claim.done(value)
            return value

    async def arun(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """`run` for work that is awaited."""
        while True:
            claim = self.claim(name)
            if not claim.leads:
                outcome = await claim.await_()
                if outcome.given_up:
                    continue
                return outcome.unwrap()
            try:
                value = await work()
            except BaseException as exc:
                claim.fail(exc)
                raise
            claim.done(value)
            return value
