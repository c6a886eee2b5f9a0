"""`SingleFlight`: one works, the others get what it got."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.subgraph_cache.single_flight import SingleFlight

CALLERS = 8


class Work:
    """Work that ends when it is told to."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.calls = 0
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> object:
        self.calls += 1
        end = self.ends.pop(0)
        self.started.set()
        assert self.go.wait(10)
        if isinstance(end, BaseException):
            raise end
        return end


def together(flights: SingleFlight[object], work: Work) -> list[object]:
    """The ends of several callers of which the first had begun when the others came."""

    def call() -> object:
        try:
            return flights.run("same", work)
        except Exception as exc:
            return exc

    with ThreadPoolExecutor(CALLERS) as pool:
        first = pool.submit(call)
        assert work.started.wait(10)
        others = [pool.submit(call) for _ in range(CALLERS - 1)]
        work.go.set()
        return [future.result(10) for future in (first, *others)]


def test_equal_work_at_the_same_time_is_done_once() -> None:
    work = Work("done", *["again"] * CALLERS)
    flights: SingleFlight[object] = SingleFlight()
    ends = together(flights, work)
    # A thread may come after the first has ended; whoever waited has its result.
    assert ends.count("done") + ends.count("again") == CALLERS
    assert ends[0] == "done"
    assert work.calls <= 2


def test_waiting_callers_share_one_result() -> None:
    flights: SingleFlight[str] = SingleFlight()
    leader = flights.claim("a")
    followers = [flights.claim("a") for _ in range(3)]
    assert leader.leads
    assert not any(follower.leads for follower in followers)
    leader.done("x")
    assert [follower.wait().unwrap() for follower in followers] == ["x"] * 3
    assert flights.claim("a").leads


def test_an_error_of_ours_reaches_every_caller_as_an_exception_of_its_own() -> None:
    flights: SingleFlight[str] = SingleFlight()
    leader, follower = flights.claim("a"), flights.claim("a")
    error = GenerationError("too long", help="shorten it")
    leader.fail(error)
    with pytest.raises(GenerationError, match="too long") as caught:
        follower.wait().unwrap()
    assert caught.value is not error
    assert caught.value.help == "shorten it"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a hook"), asyncio.CancelledError()])
def test_what_ends_one_caller_alone_lets_another_one_try(error: BaseException) -> None:
    flights: SingleFlight[str] = SingleFlight()
    leader, follower = flights.claim("a"), flights.claim("a")
    leader.fail(error)
    assert follower.wait().given_up
    assert flights.claim("a").leads


def test_the_one_that_tries_again_serves_the_rest() -> None:
    work = Work(ValueError("mine"), *["second"] * CALLERS)
    ends = together(SingleFlight(), work)
    assert isinstance(ends[0], ValueError)
    assert ends[1:] == ["second"] * (CALLERS - 1)


def test_different_names_do_not_wait_for_each_other() -> None:
    flights: SingleFlight[str] = SingleFlight()
    assert flights.run("a", lambda: flights.run("b", lambda: "inner")) == "inner"


def test_tasks_of_an_event_loop_and_threads_share_one_flight() -> None:
    flights: SingleFlight[str] = SingleFlight()
    calls: list[str] = []

    async def main() -> list[str]:
        started, go = asyncio.Event(), asyncio.Event()

        async def work() -> str:
            calls.append("task")
            started.set()
            await go.wait()
            return "x"

        first = asyncio.create_task(flights.arun("a", work))
        await started.wait()
        second = asyncio.create_task(flights.arun("a", work))
        thread = asyncio.create_task(asyncio.to_thread(flights.run, "a", lambda: "thread"))
        await asyncio.sleep(0.1)
        go.set()
        return list(await asyncio.gather(first, second, thread))

    assert asyncio.run(main()) == ["x", "x", "x"]
    assert calls == ["task"]


def test_a_cancelled_waiter_disturbs_nobody_and_a_cancelled_leader_is_replaced() -> None:
    async def main() -> str:
        flights: SingleFlight[str] = SingleFlight()

        async def forever() -> str:
            await asyncio.Event().wait()
            raise AssertionError

        async def quick() -> str:
            return "second"

        leader = asyncio.create_task(flights.arun("a", forever))
        await asyncio.sleep(0)
        waiter, last = (asyncio.create_task(flights.arun("a", quick)) for _ in range(2))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.sleep(0)
        assert not leader.done()
        leader.cancel()
        return await last

    assert asyncio.run(main()) == "second"


def test_work_that_raises_an_error_of_ours_raises_it_to_its_own_caller_as_it_is() -> None:
    error = EngineError("gone")

    def work() -> str:
        raise error

    with pytest.raises(EngineError) as caught:
        SingleFlight[str]().run("a", work)
    assert caught.value is error
