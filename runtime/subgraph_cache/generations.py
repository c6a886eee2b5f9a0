"""`GenerationCache`: what stands before an engine, so that the same task is solved once.

Requests that are equal and come at the same time run once: within a process see `SingleFlight`, between processes
`SubgraphCache.lease`. What is stored and how it is checked says `CheckedCache`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.subgraph_cache.checked import CacheRequest, CheckedCache
from agentic_dsl.runtime.subgraph_cache.port import SubgraphCache
from agentic_dsl.runtime.subgraph_cache.side_threads import SideThreads
from agentic_dsl.runtime.subgraph_cache.single_flight import Claim, Outcome, SingleFlight

_POLL_SECONDS = 0.02
_PATIENCE = 3
"""How often a request waits for other processes before it is generated here whatever they do."""


@dataclass(slots=True)
class _Turn:
    """Who does what in one round of a call.

    Attributes:
        own: the requests to generate here.
        claims: request → its part in the work under way.
        foreign: requests that another process generates.
        leased: requests whose lease must be ended.
    """

    own: list[int] = field(default_factory=list)
    claims: dict[int, Claim[Generation]] = field(default_factory=dict)
    foreign: list[int] = field(default_factory=list)
    leased: set[int] = field(default_factory=set)

    @property
    def followed(self) -> list[int]:
        """The requests that others of this process work on."""
        return [number for number, claim in self.claims.items() if not claim.leads]


class GenerationCache(CheckedCache):
    """A `CheckedCache` where equal requests wait for each other. Safe to share between threads and event loops."""

    def __init__(self, subgraphs: SubgraphCache, *, cache_unseeded: bool = False) -> None:
        """See `CheckedCache`."""
        super().__init__(subgraphs, cache_unseeded=cache_unseeded)
        self._flights: SingleFlight[Generation] = SingleFlight()
        self._aside = SideThreads()

    def resolve(
        self, requests: Sequence[CacheRequest], generate: Callable[[Sequence[int]], Sequence[Generation]]
    ) -> list[Generation]:
        """The answers to some requests, in order: stored ones, those that others are generating, and new ones.

        Args:
            requests: what is wanted.
            generate: generates the requests of these numbers together, one answer for each.

        Raises:
            Exception: what ``generate`` raises.
        """
        found: dict[int, Generation] = {}
        pending: Sequence[int] = range(len(requests))
        for attempt in count():
            turn = self._begin(requests, pending, found, patient=attempt < _PATIENCE)
            try:
                if turn.own:
                    self._settle(requests, turn, found, generate(turn.own))
                for number in turn.foreign:
                    while self._is_elsewhere(requests[number]):
                        time.sleep(_POLL_SECONDS)
                    turn.claims[number].give_up()
            except BaseException as exc:
                self._abandon(requests, turn, exc)
                raise
            outcomes = [(number, turn.claims[number].wait()) for number in turn.followed]
            pending = _follow(outcomes, turn.foreign, found)
            if not pending:
                break
        return [found[number] for number in range(len(requests))]

    async def aresolve(
        self, requests: Sequence[CacheRequest], generate: Callable[[Sequence[int]], Awaitable[Sequence[Generation]]]
    ) -> list[Generation]:
        """`resolve` for an engine that is awaited; what may wait for a file is done in threads."""
        found: dict[int, Generation] = {}
        pending: Sequence[int] = range(len(requests))
        for attempt in count():
            turn = await self._aside.run(
                partial(self._begin, requests, pending, found, patient=attempt < _PATIENCE),
                undo=partial(self._abandon, requests, error=asyncio.CancelledError()),
            )
            try:
                if turn.own:
                    made = await generate(turn.own)
                    await self._aside.finish(partial(self._settle, requests, turn, found, made))
                for number in turn.foreign:
                    while await self._aside.finish(partial(self._is_elsewhere, requests[number])):
                        await asyncio.sleep(_POLL_SECONDS)
                    turn.claims[number].give_up()
            except GeneratorExit as exc:  # nothing can be awaited any more
                self._abandon(requests, turn, exc)
                raise
            except BaseException as exc:
                await self._aside.finish(partial(self._abandon, requests, turn, exc))
                raise
            outcomes = [(number, await turn.claims[number].await_()) for number in turn.followed]
            pending = _follow(outcomes, turn.foreign, found)
            if not pending:
                break
        return [found[number] for number in range(len(requests))]

    def _begin(
        self, requests: Sequence[CacheRequest], numbers: Iterable[int], found: dict[int, Generation], *, patient: bool
    ) -> _Turn:
        """Looks everything up and divides what is not there."""
        turn = _Turn()
        try:
            for number in numbers:
                key = requests[number].key
                if key is None:
                    turn.own.append(number)
                    continue
                # Claimed before it is looked up, so that nobody can store it in between.
                claim = turn.claims[number] = self._flights.claim(key.digest)
                if not claim.leads:
                    continue
                if (stored := self.get(requests[number])) is not None:
                    found[number] = stored
                    claim.done(stored)
                elif self.subgraphs.lease(key):
                    turn.leased.add(number)
                    turn.own.append(number)
                else:
                    (turn.foreign if patient else turn.own).append(number)
        except BaseException as exc:
            self._abandon(requests, turn, exc)
            raise
        return turn

    def _settle(
        self,
        requests: Sequence[CacheRequest],
        turn: _Turn,
        found: dict[int, Generation],
        made: Sequence[Generation],
    ) -> None:
        """Stores what was generated here and tells those who wait for it."""
        for number, generation in zip(turn.own, made, strict=True):
            found[number] = generation
            if self.put(requests[number], generation):
                turn.leased.discard(number)
            else:
                self._release(requests[number], turn, number)
            if number in turn.claims:
                turn.claims[number].done(generation)

    def _abandon(self, requests: Sequence[CacheRequest], turn: _Turn, error: BaseException) -> None:
        """Lets go of everything that this call has not finished."""
        for number in list(turn.leased):
            self._release(requests[number], turn, number)
        for claim in turn.claims.values():
            if claim.leads:
                claim.fail(error)

    def _release(self, request: CacheRequest, turn: _Turn, number: int) -> None:
        if number in turn.leased and request.key is not None:
            turn.leased.discard(number)
            self.subgraphs.release(request.key)

    def _is_elsewhere(self, request: CacheRequest) -> bool:
        return request.key is not None and self.subgraphs.leased(request.key)


def _follow(
    outcomes: Iterable[tuple[int, Outcome[Generation]]], foreign: Sequence[int], found: dict[int, Generation]
) -> list[int]:
    """Takes what others got; what is left to do again."""
    again = list(foreign)
    for number, outcome in outcomes:
        if outcome.given_up:
            again.append(number)
        elif outcome.error is not None:
            found[number] = Generation.failed(outcome.error)
        else:
            generation = outcome.unwrap()
            found[number] = replace(generation, cached=True) if generation.valid else generation
    return again
