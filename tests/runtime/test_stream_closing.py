"""Streams that are closed while somebody reads them, or while their request only waits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic_dsl import AgenticLLM, Constraints
from agentic_dsl.runtime.batching.queue import BatchQueue
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.streaming import SubgraphStream
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache

WANTED = Constraints(max_nodes=2, allowed_node_types=("end",))
TEXT = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""
SOON = 5.0


class Gated(BlockingEngine):
    """An engine whose passes stand still until its gate is open."""

    name = "gated"

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), threading.Event()
        self.asked: list[str] = []

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.asked += [request.prompt.messages[-1].content for request in requests]
        self.entered.set()
        while not self.gate.wait(0.005):
            if on_token is not None:
                on_token(0, 1, "#")
        return [EngineResult(text=TEXT, finish="stop") for _ in requests]


@pytest.fixture
def engine() -> Iterator[Gated]:
    gated = Gated()
    yield gated
    gated.gate.set()


def started(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that does some work, and where its result will be."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)


def stream_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "agentic-dsl-stream"]


def ended_at_once(stream: SubgraphStream, reader: threading.Thread) -> bool:
    """Closes a stream; whether that was quick, and its reader and its thread are gone."""
    begun = time.monotonic()
    stream.close()
    seconds = time.monotonic() - begun
    reader.join(SOON)
    return seconds < SOON and not reader.is_alive() and not stream_threads()


def test_a_reader_gets_the_end_when_another_thread_closes_its_stream(engine: Gated) -> None:
    stream = AgenticLLM(engine).stream_subgraph("x", constraints=WANTED)
    reader, nodes = started(lambda: list(stream))
    assert engine.entered.wait(SOON)
    assert ended_at_once(stream, reader)
    assert nodes == [[]]


def test_a_reader_gets_the_end_when_another_task_closes_its_stream(engine: Gated) -> None:
    async def read_and_close() -> list[Any]:
        stream = AgenticLLM(engine).astream_subgraph("x", constraints=WANTED)

        async def read() -> list[Any]:
            return [node async for node in stream]

        reader = asyncio.create_task(read())
        await asyncio.to_thread(engine.entered.wait, SOON)
        await stream.aclose()
        return await asyncio.wait_for(reader, SOON)

    assert asyncio.run(read_and_close()) == []
    assert not stream_threads()


def test_closing_a_stream_that_waits_in_a_queue_costs_the_engine_nothing(engine: Gated) -> None:
    queue = BatchQueue(engine, max_batch_size=1, max_wait=0)
    llm = AgenticLLM(queue)
    long, found = started(lambda: llm.generate_subgraph("long", constraints=WANTED))
    assert engine.entered.wait(SOON)
    stream = llm.stream_subgraph("waits", constraints=WANTED)
    reader, nodes = started(lambda: list(stream))
    until(lambda: queue.stats.waiting == 1)
    assert ended_at_once(stream, reader)
    assert (queue.stats.waiting, queue.stats.cancelled) == (0, 1)
    engine.gate.set()
    long.join(SOON)
    queue.close()
    assert (len(engine.asked), nodes) == (1, [[]])
    assert found[0].valid


def test_closing_an_asynchronous_stream_that_waits_in_a_queue_costs_nothing_either(engine: Gated) -> None:
    queue = BatchQueue(engine, max_batch_size=1, max_wait=0)
    llm = AgenticLLM(queue)

    async def wait_and_close() -> None:
        long = asyncio.create_task(llm.agenerate_subgraph("long", constraints=WANTED))
        await asyncio.to_thread(engine.entered.wait, SOON)
        async with llm.astream_subgraph("waits", constraints=WANTED) as stream:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.2)
            assert queue.stats.waiting == 1
        assert queue.stats.cancelled == 1
        engine.gate.set()
        assert (await long).valid

    asyncio.run(wait_and_close())
    queue.close()
    assert len(engine.asked) == 1


def test_closing_a_stream_that_waits_for_an_equal_request_leaves_that_one_alone(
    engine: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    llm = AgenticLLM(engine, subgraph_cache=MemorySubgraphCache())
    leader, found = started(lambda: llm.generate_subgraph("x", constraints=WANTED))
    assert engine.entered.wait(SOON)
    stream = llm.stream_subgraph("x", constraints=WANTED)
    reader, _ = started(lambda: list(stream))
    until(stream_threads)
    time.sleep(0.1)
    assert ended_at_once(stream, reader)
    engine.gate.set()
    leader.join(SOON)
    assert found[0].valid
    assert len(engine.asked) == 1
    assert not caplog.records


def test_an_equal_request_goes_on_where_the_stream_that_it_waits_for_is_closed(engine: Gated) -> None:
    llm = AgenticLLM(engine, subgraph_cache=MemorySubgraphCache())
    stream = llm.stream_subgraph("x", constraints=WANTED)
    reader, _ = started(lambda: list(stream))
    assert engine.entered.wait(SOON)
    follower, found = started(lambda: llm.generate_subgraph("x", constraints=WANTED))
    time.sleep(0.1)
    assert ended_at_once(stream, reader)
    until(lambda: len(engine.asked) == 2)
    engine.gate.set()
    follower.join(SOON)
    assert found[0].valid


@pytest.mark.parametrize("queued", [False, True])
def test_a_hook_may_close_its_own_stream(engine: Gated, queued: bool) -> None:
    asked = BatchQueue(engine, max_wait=0) if queued else engine
    streams: list[SubgraphStream] = []
    stream = AgenticLLM(asked).stream_subgraph("x", constraints=WANTED, on_token=lambda *_: streams[0].close())
    streams.append(stream)
    reader, nodes = started(lambda: list(stream))
    reader.join(SOON)
    assert nodes == [[]]
    stream.close()
    assert not stream_threads()


def test_closing_twice_and_from_several_threads_is_closing(engine: Gated) -> None:
    stream = AgenticLLM(engine).stream_subgraph("x", constraints=WANTED)
    reader, _ = started(lambda: list(stream))
    assert engine.entered.wait(SOON)
    closing = [started(stream.close)[0] for _ in range(4)]
    for thread in [*closing, reader]:
        thread.join(SOON)
        assert not thread.is_alive()
    stream.close()
    assert not stream_threads()


EXIT = """
import sys, time
sys.path.insert(0, {folder!r})
from test_stream_closing import AgenticLLM, Gated, WANTED, started
engine = Gated()
stream = AgenticLLM(engine).stream_subgraph("x", constraints=WANTED)
started(lambda: list(stream))
assert engine.entered.wait(60)
print("over")
"""


def test_a_stream_that_nobody_closed_does_not_keep_a_program_from_ending() -> None:
    program = EXIT.format(folder=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr
