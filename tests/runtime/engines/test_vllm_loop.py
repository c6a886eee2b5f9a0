"""The thread that owns an engine: who gets what, and that nobody waits for ever."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest

from agentic_dsl.errors import EngineError, ModelError
from agentic_dsl.runtime.engines.vllm_loop import EngineLoop, Job


@dataclass
class Output:
    request_id: str
    count: int
    finished: bool


@dataclass
class Counting:
    """An engine in vLLM's interface that counts each request up to what it asks for, one a step."""

    threads: set[int] = field(default_factory=set)
    open: dict[str, list[int]] = field(default_factory=dict)
    aborted: list[str] = field(default_factory=list)
    together: int = 0
    closed: bool = False

    def add_request(self, request_id: str, *, upto: int) -> None:
        self.threads.add(threading.get_ident())
        if upto < 1:
            raise ValueError("nothing to count")
        self.open[request_id] = [0, upto]

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names
        for name in names:
            self.open.pop(name, None)

    def step(self) -> list[Output]:
        self.threads.add(threading.get_ident())
        self.together = max(self.together, len(self.open))
        time.sleep(0.001)
        outputs = []
        for name, state in list(self.open.items()):
            if state[1] == 666:
                raise RuntimeError("the device is gone\nmore")
            state[0] += 1
            outputs.append(Output(name, state[0], state[0] == state[1]))
            if state[0] == state[1]:
                del self.open[name]
        return outputs


def started() -> tuple[EngineLoop, Counting]:
    engine = Counting()
    return EngineLoop(lambda: engine, lambda made: setattr(made, "closed", True)), engine


def ask(loop: EngineLoop, name: str, *counts: int) -> list[Any]:
    """The last thing that each of several jobs of one caller gets."""
    outbox: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    loop.submit([Job(row, f"{name}-{row}", {"upto": count}, outbox) for row, count in enumerate(counts)])
    last: dict[int, Any] = {}
    while len(last) < len(counts):
        row, output = outbox.get(timeout=20)
        if isinstance(output, Exception) or output.finished:
            last[row] = output
    return [last[row] for row in range(len(counts))]


def test_requests_of_several_callers_run_together_in_one_thread() -> None:
    loop, engine = started()
    answers: dict[int, list[Any]] = {}
    callers = [
        threading.Thread(target=lambda n=n: answers.update({n: ask(loop, f"c{n}", 30, 40 + n)})) for n in range(6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    loop.close()
    assert {n: [output.count for output in outputs] for n, outputs in answers.items()} == {
        n: [30, 40 + n] for n in range(6)
    }
    assert len(engine.threads) == 1
    assert engine.together > 2
    assert engine.closed


def test_a_request_that_is_refused_spoils_no_other() -> None:
    loop, _ = started()
    bad, good = ask(loop, "a", 0, 3)
    assert isinstance(bad, ValueError)
    assert good.count == 3
    loop.close()


def test_an_aborted_request_ends_and_the_rest_goes_on() -> None:
    loop, engine = started()
    outbox: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    loop.submit([Job(0, "long", {"upto": 10**9}, outbox)])
    outbox.get(timeout=20)
    loop.abort(["long", "unknown"])
    assert ask(loop, "b", 5)[0].count == 5
    assert engine.aborted == ["long"]
    loop.close()


def test_closing_answers_what_is_open_and_refuses_what_comes() -> None:
    loop, engine = started()
    outbox: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    loop.submit([Job(0, "long", {"upto": 10**9}, outbox)])
    loop.close()
    loop.close()
    last: Any = None
    while not isinstance(last, EngineError):
        last = outbox.get(timeout=20)[1]
    assert "closed before" in str(last)
    assert engine.closed
    with pytest.raises(EngineError, match="the engine is closed"):
        loop.submit([])
    loop.abort(["long"])


def test_an_engine_that_fails_answers_everybody_with_its_reason_and_refuses_then() -> None:
    loop, engine = started()
    failed = ask(loop, "c", 10**6, 666)
    assert [str(error) for error in failed] == [
        "vLLM failed: the device is gone (help: see the log for what it says)"
    ] * 2
    with pytest.raises(EngineError, match="failed and answers nothing any more"):
        loop.submit([])
    loop.close()
    assert engine.closed


def test_an_engine_that_cannot_be_made_says_so_to_whoever_makes_it() -> None:
    def make() -> Any:
        raise ModelError("no such model")

    with pytest.raises(ModelError, match="no such model"):
        EngineLoop(make, lambda engine: None)
