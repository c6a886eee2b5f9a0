"""Coroutines before a cache: the event loop goes on while a file is waited for, and nothing that was begun is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_generation_cache import made, wanted

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.subgraph_cache.side_threads import SideThreads
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

PATIENCE = 20.0


async def generate(numbers: Sequence[int]) -> list[Generation]:
    return [made() for _ in numbers]


async def longest_pause(seconds: float) -> float:
    longest, last, ends = 0.0, time.monotonic(), time.monotonic() + seconds
    while last < ends:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def test_a_locked_file_is_waited_for_once_a_batch_and_not_in_the_event_loop(tmp_path: Path) -> None:
    subgraphs = SqliteSubgraphCache(tmp_path / "c.sqlite3", busy_seconds=1.5)
    cache = GenerationCache(subgraphs)
    requests = [wanted(cache, str(number)) for number in range(5)]
    made()
    other = sqlite3.connect(tmp_path / "c.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def main() -> float:
        pause = asyncio.create_task(longest_pause(1.0))
        await asyncio.sleep(0)
        answers = await cache.aresolve(requests, generate)
        assert all(answer.valid for answer in answers)
        return await pause

    started = time.monotonic()
    assert asyncio.run(main()) < 1.0
    assert time.monotonic() - started < 4.5  # ten waits take 15 s
    other.close()
    subgraphs.close()


class Held(MemorySubgraphCache):
    """A cache whose look-ups wait until they are told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def get(self, key):  # type: ignore[no-untyped-def]  # the port's
        self.asked.set()
        assert self.go.wait(PATIENCE)
        return super().get(key)


def test_a_caller_that_is_cancelled_during_its_look_up_leaves_nothing_that_others_wait_for() -> None:
    subgraphs = Held()
    cache = GenerationCache(subgraphs)

    async def main() -> Generation:
        gone = asyncio.create_task(cache.aresolve([wanted(cache)], generate))
        while not subgraphs.asked.is_set():
            await asyncio.sleep(0.001)
        follower = asyncio.create_task(cache.aresolve([wanted(cache)], generate))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        subgraphs.go.set()
        [answer] = await asyncio.wait_for(follower, PATIENCE)
        return answer

    assert asyncio.run(main()).valid


def test_an_event_loop_that_ends_during_a_look_up_leaves_nothing_either() -> None:
    subgraphs = Held()
    cache = GenerationCache(subgraphs)

    async def main() -> None:
        asyncio.create_task(cache.aresolve([wanted(cache)], generate))  # noqa: RUF006  # it shall be lost
        while not subgraphs.asked.is_set():
            await asyncio.sleep(0.001)

    asyncio.run(main())
    subgraphs.go.set()
    answers: list[Generation] = []
    again = threading.Thread(target=lambda: answers.extend(cache.resolve([wanted(cache)], lambda _: [made()])))
    again.daemon = True
    again.start()
    again.join(PATIENCE)
    assert [answer.valid for answer in answers] == [True]


def test_after_an_error_the_next_call_of_the_same_task_generates() -> None:
    cache = GenerationCache(MemorySubgraphCache())

    async def fail(numbers: Sequence[int]) -> list[Generation]:
        raise EngineError("gone")

    async def main() -> list[Generation]:
        with pytest.raises(EngineError):
            await cache.aresolve([wanted(cache)], fail)
        return await cache.aresolve([wanted(cache)], generate)

    assert asyncio.run(main()) == [made()]


def test_a_result_is_undone_once_exactly_where_its_caller_is_gone() -> None:
    aside, go = SideThreads(), threading.Event()
    undone: list[str] = []

    async def main() -> None:
        assert await aside.run(lambda: "kept", undone.append) == "kept"
        lost = asyncio.create_task(aside.run(lambda: str(go.wait(PATIENCE)), undone.append))
        await asyncio.sleep(0.05)
        lost.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lost
        go.set()
        while not undone:
            await asyncio.sleep(0.001)
        with pytest.raises(ValueError, match="mine"):
            await aside.run(lambda: int("mine"), lambda _: undone.append("an error"))

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert undone == ["True"]


def test_work_that_must_be_finished_goes_on_without_its_caller() -> None:
    aside, go, finished = SideThreads(), threading.Event(), threading.Event()

    def work() -> None:
        assert go.wait(PATIENCE)
        finished.set()

    async def main() -> None:
        lost = asyncio.create_task(aside.finish(work))
        await asyncio.sleep(0.01)
        lost.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lost

    asyncio.run(main())
    go.set()
    assert finished.wait(PATIENCE)
