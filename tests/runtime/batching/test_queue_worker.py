"""`BatchQueue`: times that are too long for a thread, the loss of its worker, and forked children."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_batching import PATIENCE, Recording, queue_of, request

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.batching.queue import BatchQueue
from agentic_dsl.runtime.batching.ticket import QueueStats
from agentic_dsl.runtime.engines.base import EngineResult
from agentic_dsl.runtime.options import tasks_of


@pytest.mark.parametrize("timeout", [math.inf, 1e10, threading.TIMEOUT_MAX, 1e308, 10**400])
def test_a_timeout_that_no_thread_can_wait_for_is_none(timeout: float) -> None:
    with queue_of(Recording(), timeout=timeout, max_wait=0.0) as queue:
        assert queue.generate([request("thread")])[0].text == "thread"
        assert asyncio.run(queue.agenerate([request("coroutine")]))[0].text == "coroutine"


@pytest.mark.parametrize("max_wait", [1e10, threading.TIMEOUT_MAX, 1e308, 10**400])
def test_a_batch_may_wait_for_its_company_as_long_as_a_thread_can(max_wait: float) -> None:
    with queue_of(Recording(), max_wait=max_wait, max_batch_size=2) as queue, ThreadPoolExecutor() as pool:
        first = pool.submit(queue.generate, [request(1)])
        assert queue.generate([request(2)])[0].text == "2"
        assert first.result(PATIENCE)[0].text == "1"


class Nameless(Recording):
    """An engine that fails while it is asked why it failed."""

    def generate(self, *args: object, **options: object) -> list[EngineResult]:  # type: ignore[override]
        if self.passes:
            self.passes = 0
            raise KeyError
        return super().generate(*args, **options)  # type: ignore[arg-type]

    @property  # type: ignore[override]
    def name(self) -> str:
        raise ValueError("no name")

    @name.setter
    def name(self, name: str) -> None:
        """The default is given here."""


@pytest.mark.filterwarnings("error")
def test_a_worker_that_is_lost_answers_all_that_wait_or_run_and_another_one_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with queue_of(Nameless(), max_batch_size=2, max_wait=0.0) as queue:
        answers = queue.generate([request(at) for at in range(5)])
        assert {type(answer.error).__mro__[1] for answer in answers} == {EngineError}
        assert all("lost its worker: no name" in str(answer.error) for answer in answers)
        assert (queue.stats.waiting, queue.stats.running) == (0, 0)
        assert queue.generate([request("after")])[0].text == "after"
    assert "worker" in caplog.text


def test_a_worker_that_cannot_begin_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with queue_of(Recording()) as queue:
        with monkeypatch.context() as patched:
            patched.setattr("agentic_dsl.runtime.batching.queue.Thread.start", refuse)
            [answer] = queue.generate([request(1)])
        assert "can't start new thread" in str(answer.error)
        assert queue.generate([request("after")])[0].text == "after"


def asks_in_child(queue: BatchQueue) -> bool:
    """Whether a forked child gets an answer, has its own counts, and leaves the parent's tickets alone."""
    number = os.fork()
    if number == 0:
        good = False
        try:
            timer = threading.Timer(PATIENCE, os._exit, [2])
            timer.daemon = True
            timer.start()
            good = queue.stats == QueueStats() and queue.generate([request("child")])[0].text == "child"
            good = good and (queue.stats.waiting, queue.stats.requests) == (0, 1)
        finally:
            os._exit(0 if good else 1)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_has_an_empty_queue_with_a_worker_of_its_own() -> None:
    with queue_of(Recording(), max_wait=0.0) as queue:
        queue.generate([request("parent")])
        assert asks_in_child(queue)
        assert queue.generate([request("after")])[0].text == "after"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_what_waited_or_ran_at_a_fork_is_answered_by_the_parent_alone() -> None:
    engine = Recording()
    with queue_of(engine, held=True, max_wait=0.0) as queue:
        waiting = queue.submit(request("waiting"))
        engine_open = engine.open
        engine.open = threading.Event()
        engine.open.set()  # the child's engine answers at once, the parent's batch is still held
        held, go = threading.Event(), threading.Event()

        def hold() -> None:
            with queue._changed:
                held.set()
                go.wait(2 * PATIENCE)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(PATIENCE)
        assert asks_in_child(queue)
        go.set()
        thread.join()
        assert not waiting.done()
        engine_open.set()
        assert waiting.result(PATIENCE).text == "waiting"
    assert engine.batches == [["first"], ["waiting"]]


@pytest.mark.parametrize("name", ["constraints", "context_signatures", "priorities", "hints"])
def test_an_empty_list_for_several_prompts_is_misuse(name: str) -> None:
    with pytest.raises(ValueError, match="shorter"):
        tasks_of(["a", "b"], {name: []})  # type: ignore[misc]  # one of several names
    assert [task.constraints for task in tasks_of(["a"], {"constraints": None})] == [Constraints()]
