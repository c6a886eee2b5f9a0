"""A forked child uses the caches of its parent and waits for none of its parent's threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_generation_cache import made, wanted

from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.subgraph_cache.single_flight import SingleFlight
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")

PATIENCE = 20.0
"""Seconds after which a child that hangs is ended, and its test has failed."""


def in_child(work: Callable[[], bool]) -> bool:
    """Whether some work is true in a forked child; False where it raises or hangs there."""
    number = os.fork()
    if number == 0:
        outcome = False
        try:
            outcome = work()
        finally:
            os._exit(0 if outcome else 1)
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    return False


@contextmanager
def another_thread_holding(lock: threading.Lock) -> Iterator[None]:
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            go.wait(2 * PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    try:
        yield
    finally:
        go.set()
        thread.join()


def test_work_of_a_parents_thread_is_done_in_the_child() -> None:
    flights: SingleFlight[str] = SingleFlight()
    leader = flights.claim("a")
    assert in_child(lambda: flights.run("a", lambda: "own") == "own")
    assert not flights.claim("a").leads  # the parent's is still under way
    leader.done("x")


def test_a_claim_of_the_parent_ends_nothing_in_the_child() -> None:
    flights: SingleFlight[str] = SingleFlight()
    leader = flights.claim("a")

    def work() -> bool:
        own = flights.claim("a")
        leader.done("of the parent")
        return own.leads and not flights.claim("a").leads

    assert in_child(work)
    leader.give_up()


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_child_generates_what_a_thread_of_its_parent_was_generating(tmp_path: Path, on_disk: bool) -> None:
    subgraphs = SqliteSubgraphCache(tmp_path / "c.sqlite3") if on_disk else MemorySubgraphCache()
    cache = GenerationCache(subgraphs)
    began, go = threading.Event(), threading.Event()

    def slow(numbers: Sequence[int]) -> list[Generation]:
        began.set()
        assert go.wait(PATIENCE)
        return [made() for _ in numbers]

    parent = threading.Thread(target=lambda: cache.resolve([wanted(cache)], slow))
    parent.start()
    assert began.wait(PATIENCE)
    if on_disk:  # the child waits for its parent's lease
        threading.Timer(0.3, go.set).start()
    asked: list[int] = []

    def work() -> bool:
        [answer] = cache.resolve([wanted(cache)], lambda numbers: asked.extend(numbers) or [made()])  # type: ignore[func-returns-value]
        return answer.valid and answer.cached == on_disk and asked == ([] if on_disk else [0])

    assert in_child(work)
    go.set()
    parent.join()
    assert cache.subgraphs.stats().entries == 1


@pytest.mark.parametrize("place", ["checks", "counts", "file", "memory"])
def test_a_lock_that_a_thread_of_the_parent_held_is_not_waited_for(tmp_path: Path, place: str) -> None:
    disk, memory = SqliteSubgraphCache(tmp_path / "c.sqlite3"), MemorySubgraphCache()
    caches = GenerationCache(disk), GenerationCache(memory)
    for cache in caches:
        cache.put(wanted(cache), made())
    lock = {
        "checks": caches[0]._lock,
        "counts": disk._counting,
        "file": disk._database._lock,
        "memory": memory._lock,
    }[place]

    def works(cache: GenerationCache) -> bool:
        cache.get(wanted(cache))
        return cache.put(wanted(cache, "new"), made()) and cache.get(wanted(cache, "new")) is not None

    with another_thread_holding(lock):  # type: ignore[arg-type]  # some are reentrant
        assert in_child(lambda: all(map(works, caches)))


def test_a_child_has_the_entries_in_memory_of_its_parent() -> None:
    cache = GenerationCache(MemorySubgraphCache())
    cache.put(wanted(cache), made())
    assert in_child(lambda: cache.get(wanted(cache)) is not None)
