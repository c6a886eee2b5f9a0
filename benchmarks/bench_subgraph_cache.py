"""The subgraph cache: ``python -m benchmarks.bench_subgraph_cache``.

A hit is everything between a request and its checked answer: making the key (contract and task are new objects each
time, as a service makes them), the look-up, and for SQLite reading, parsing and checking what was read. Beside it, in
the same run: one generation of the same subgraph by the engine without a model, so a real one takes longer.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import Sampling
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.subgraph_cache.checked import CacheRequest
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.subgraph_cache.port import SubgraphCache
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache
from benchmarks.measure import Timing, heading, markdown_table, timed

NODES = 20
SUBGRAPHS = 12
HITS = 30
TARGETS = {"memory": 1.0, "SQLite": 3.0}
"""Most milliseconds of a median hit."""

_SAMPLING = Sampling(temperature=1.0)


@dataclass(frozen=True)
class Task:
    """A task, and the answer that was generated for it."""

    prompt: str
    seed: int
    generation: Generation


def main() -> int:
    """Prints the table; 1 where a target is missed."""
    print(heading("Subgraph cache", "cachetools"), f"SQLite {sqlite3.sqlite_version}", sep=" · ", end="\n\n")
    engine = RandomEngine(closing_boost=5.0)
    tasks, generation = _generated(engine)
    rows = [(f"generate {NODES} nodes with `{engine.name}`", generation.text(), "")]
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "subgraphs.sqlite3")
        for name, what, timing in _hits(tasks, engine.name, path):
            missed |= timing.median * 1e3 > TARGETS[name]
            ratio = f"{generation.median / timing.median:,.0f} ×"
            rows.append((f"{name}: {what}", f"{timing.text()} (target {TARGETS[name]:.0f} ms)", ratio))
    print(markdown_table(("what", "median (range)", "against generation"), rows))
    return int(missed)


def _constraints() -> Constraints:
    """The contract as a new object, whose digest is not computed yet."""
    tools = tuple(
        ToolSpec(
            name=f"tool_{number}",
            parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
            returns={"type": "object", "properties": {"found": {"type": "string"}}},
        )
        for number in range(8)
    )
    return Constraints(max_nodes=NODES, min_nodes=NODES, tools=tools, max_text_chars=60)


def _generated(engine: RandomEngine) -> tuple[list[Task], Timing]:
    llm = AgenticLLM(engine)
    llm.generate_subgraph("warm", constraints=_constraints(), seed=0, sampling=_SAMPLING)  # compiles the masks
    tasks: list[Task] = []

    def generate(seed: int) -> None:
        prompt = f"Plan number {seed}: fetch, check and write."
        answer = llm.generate_subgraph(prompt, constraints=_constraints(), seed=seed, sampling=_SAMPLING)
        tasks.append(Task(prompt, seed, answer))

    timing = timed(generate, range(1, SUBGRAPHS + 1))
    return tasks, timing


def _hits(tasks: Sequence[Task], engine: str, path: Path) -> list[tuple[str, str, Timing]]:
    """Name, what was measured and the times; everything is stored once before."""
    memory = GenerationCache(MemorySubgraphCache())
    disk = GenerationCache(SqliteSubgraphCache(path))
    for cache in (memory, disk):
        for task in tasks:
            if not cache.put(_request(cache, task, engine), task.generation):
                raise SystemExit("an answer was not valid, so it cannot be measured")

    def first(task: Task) -> None:
        _hit(fresh(), task, engine)

    def fresh() -> GenerationCache:
        # As in a process that has just started: it has checked nothing yet.
        return GenerationCache(subgraphs)

    subgraphs: SubgraphCache = disk.subgraphs
    return [
        ("memory", "hit", timed(_hitter(memory, engine), list(tasks) * HITS)),
        ("SQLite", "first hit of a process, parsed and checked", timed(first, list(tasks) * HITS)),
        ("SQLite", "hit again, the same bytes", timed(_hitter(disk, engine), list(tasks) * HITS)),
    ]


def _hitter(cache: GenerationCache, engine: str) -> Callable[[Task], None]:
    return lambda task: _hit(cache, task, engine)


def _hit(cache: GenerationCache, task: Task, engine: str) -> None:
    [answer] = cache.resolve([_request(cache, task, engine)], _nothing)
    if not (answer.cached and answer.text == task.generation.text):
        raise SystemExit("a hit gave another answer")


def _request(cache: GenerationCache, task: Task, engine: str) -> CacheRequest:
    sampling = Sampling(temperature=1.0, seed=task.seed)
    return cache.request(task.prompt, _constraints(), engine=engine, sampling=sampling)


def _nothing(numbers: Sequence[int]) -> Sequence[Generation]:
    raise SystemExit(f"{len(numbers)} requests were not found")


if __name__ == "__main__":
    sys.exit(main())
