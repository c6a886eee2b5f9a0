"""`GenerationCache`: valid answers once, checked whenever they come back."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.compiler.grammar.enforcement import Level
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError, GenerationError, UsageError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import GREEDY, EngineResult, Sampling, Stats
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.subgraph_cache.checked import CacheRequest
from agentic_dsl.runtime.subgraph_cache.codec import checksum, encode
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.subgraph_cache.port import SubgraphCache
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

SMALL = Constraints(max_nodes=3, max_text_chars=20, allowed_node_types=("assign", "end"))
SPEC = compile(SMALL)
ANSWER = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: a
    type: assign
    assign:
      x: "1"
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


def made(text: str = ANSWER) -> Generation:
    result = EngineResult(text=text, token_ids=(1, 2), prompt_token_ids=(3,), finish="stop", stats=Stats(tokens=2))
    return Generation.of(SPEC, result)


@pytest.fixture(params=["memory", "sqlite"])
def subgraphs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SubgraphCache]:
    cache: SubgraphCache = (
        MemorySubgraphCache() if request.param == "memory" else SqliteSubgraphCache(tmp_path / "c.sqlite3")
    )
    yield cache
    cache.close()


@pytest.fixture
def cache(subgraphs: SubgraphCache) -> GenerationCache:
    return GenerationCache(subgraphs)


def wanted(cache: GenerationCache, prompt: str = "task", sampling: Sampling = GREEDY) -> CacheRequest:
    return cache.request(prompt, SMALL, engine="e/m", sampling=sampling)


def test_a_stored_generation_comes_back_equal_and_is_marked(cache: GenerationCache) -> None:
    assert cache.get(wanted(cache)) is None
    assert cache.put(wanted(cache), made())
    again = cache.get(wanted(cache))
    assert again == replace(made(), cached=True)
    assert again is not None
    assert again.valid
    fresh = GenerationCache(cache.subgraphs)  # a process that checked nothing yet
    assert fresh.get(wanted(fresh)) == again


def test_a_real_engines_answer_is_the_same_from_the_cache(cache: GenerationCache) -> None:
    engine = RandomEngine(closing_boost=5.0)
    sampling = Sampling(temperature=1.0, seed=3)
    asked: list[int] = []

    def generate(numbers: Sequence[int]) -> list[Generation]:
        asked.extend(numbers)
        return [Generation.of(SPEC, result) for result in engine.generate([engine_request("t", SPEC, sampling)])]

    request = cache.request("t", SMALL, engine=engine.name, sampling=sampling)
    [first] = cache.resolve([request], generate)
    [second] = cache.resolve([request], generate)
    assert first.valid
    assert asked == [0]
    assert (first.cached, second.cached) == (False, True)
    assert second == replace(first, cached=True)


@pytest.mark.parametrize(
    "text", ["", "prose", ANSWER.replace("assign", "tool_call"), ANSWER.replace("done", "gone", 1)]
)
def test_an_invalid_generation_is_not_stored(cache: GenerationCache, text: str) -> None:
    generation = made(text)
    assert not generation.valid
    assert cache.resolve([wanted(cache)], lambda numbers: [generation]) == [generation]
    assert cache.subgraphs.stats().entries == 0
    assert cache.resolve([wanted(cache)], lambda numbers: [made()]) == [made()]


def test_the_names_of_its_skills_come_back_with_an_answer(cache: GenerationCache) -> None:
    given = replace(made(), skills=("mending-tyres", "baking-bread"))
    cache.put(wanted(cache), given)
    assert cache.get(wanted(cache)) == replace(given, cached=True)


def test_what_is_sampled_without_a_seed_is_reused_only_where_that_is_wanted(subgraphs: SubgraphCache) -> None:
    free = Sampling(temperature=1.0)
    cache = GenerationCache(subgraphs)
    assert wanted(cache, sampling=free).key is None
    for _ in range(2):
        assert cache.resolve([wanted(cache, sampling=free)], lambda numbers: [made()]) == [made()]
    reusing = GenerationCache(subgraphs, cache_unseeded=True)
    ends = [reusing.resolve([wanted(reusing, sampling=free)], lambda numbers: [made()])[0].cached for _ in range(2)]
    assert ends == [False, True]


FORGED = ["", "prose", ANSWER.replace("/done", "/gone"), ANSWER.replace("assign", "tool_call"), "#" * 9_000_000]


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_a_forged_text_never_becomes_an_answer_and_is_removed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.sqlite3"
    subgraphs = SqliteSubgraphCache(file)
    cache = GenerationCache(subgraphs)
    request = wanted(cache)
    assert request.key is not None
    cache.put(request, made())
    value = subgraphs.get(request.key)
    assert value is not None
    payload = encode(replace(value, text=text))
    with sqlite3.connect(file) as other:
        digest = checksum(request.key.digest, payload)
        other.execute("UPDATE entries SET payload = ?, checksum = ?", (payload, digest))
    other.close()
    for each in (cache, GenerationCache(subgraphs)):
        assert each.get(request) is None
    stats = subgraphs.stats()
    assert (stats.entries, stats.damaged) == (0, 1)
    subgraphs.close()


def test_an_entry_that_other_constraints_no_longer_allow_is_removed(tmp_path: Path) -> None:
    subgraphs = SqliteSubgraphCache(tmp_path / "c.sqlite3")
    cache = GenerationCache(subgraphs)
    cache.put(wanted(cache), made())
    stricter = replace(wanted(cache), constraints=Constraints(allowed_node_types=("end",)))
    fresh = GenerationCache(subgraphs)  # as if the rules had changed and not the key
    assert fresh.get(stricter) is None
    assert subgraphs.stats().entries == 0
    subgraphs.close()


def test_a_batch_generates_only_what_is_missing_and_keeps_its_order(cache: GenerationCache) -> None:
    texts = {name: ANSWER.replace('"1"', f'"{name}"') for name in "abcd"}
    cache.put(wanted(cache, "b"), made(texts["b"]))
    asked: list[Sequence[int]] = []

    def generate(numbers: Sequence[int]) -> list[Generation]:
        asked.append(tuple(numbers))
        return [made(texts["abcda"[number]]) for number in numbers]

    answers = cache.resolve([wanted(cache, name) for name in "abcda"], generate)
    assert [answer.text for answer in answers] == [texts[name] for name in "abcda"]
    assert asked == [(0, 2, 3)]
    assert [answer.cached for answer in answers] == [False, True, False, False, True]


def test_one_request_that_fails_spoils_no_other_and_is_not_stored(cache: GenerationCache) -> None:
    failed = Generation.failed(GenerationError("too long"))
    answers = cache.resolve([wanted(cache, "a"), wanted(cache, "b")], lambda numbers: [failed, made()])
    assert [answer.error is None for answer in answers] == [False, True]
    assert cache.subgraphs.stats().entries == 1


@pytest.mark.parametrize("error", [EngineError("gone"), KeyboardInterrupt(), ValueError("a hook")])
def test_after_an_exception_the_next_call_generates(cache: GenerationCache, error: BaseException) -> None:
    def fail(numbers: Sequence[int]) -> list[Generation]:
        raise error

    with pytest.raises(type(error)):
        cache.resolve([wanted(cache)], fail)
    assert cache.resolve([wanted(cache)], lambda numbers: [made()]) == [made()]


def test_equal_requests_of_many_threads_run_once(cache: GenerationCache) -> None:
    calls: list[int] = []
    barrier = threading.Barrier(8)
    answers: list[Generation] = []

    def generate(numbers: Sequence[int]) -> list[Generation]:
        calls.append(len(numbers))
        return [made() for _ in numbers]

    def call() -> None:
        barrier.wait(10)
        answers.extend(cache.resolve([wanted(cache)], generate))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert calls == [1]
    assert [answer.valid for answer in answers] == [True] * 8
    assert sum(not answer.cached for answer in answers) == 1


def test_batches_that_want_the_same_in_another_order_do_not_block_each_other(cache: GenerationCache) -> None:
    barrier = threading.Barrier(2, timeout=10)

    def call(names: str) -> None:
        def generate(numbers: Sequence[int]) -> list[Generation]:
            return [made() for _ in numbers]

        barrier.wait()
        cache.resolve([wanted(cache, name) for name in names], generate)

    for _ in range(20):
        threads = [threading.Thread(target=call, args=(names,)) for names in ("abc", "cba")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        cache.subgraphs.clear()


def test_equal_requests_of_an_event_loop_run_once(cache: GenerationCache) -> None:
    calls: list[int] = []

    async def generate(numbers: Sequence[int]) -> list[Generation]:
        calls.append(len(numbers))
        await asyncio.sleep(0.05)
        return [made() for _ in numbers]

    async def main() -> list[list[Generation]]:
        return await asyncio.gather(*(cache.aresolve([wanted(cache)], generate) for _ in range(5)))

    assert [answer.valid for [answer] in asyncio.run(main())] == [True] * 5
    assert calls == [1]


def test_a_subgraph_of_ones_own_is_the_answer_to_its_request(cache: GenerationCache) -> None:
    [block] = parse("Some prose.\n\n" + ANSWER).subgraphs
    stored = cache.cache_subgraph(block, wanted(cache))
    assert (stored.text, stored.valid, stored.cached) == (ANSWER, True, True)
    assert {entry.level for entry in stored.report} == {Level.CHECKED}
    assert cache.resolve([wanted(cache)], lambda numbers: []) == [stored]


def test_a_subgraph_that_breaks_the_constraints_is_refused_with_the_reason(cache: GenerationCache) -> None:
    [block] = parse(ANSWER).subgraphs
    other = cache.request("t", Constraints(path="/dynamic/other"), engine="e", sampling=GREEDY)
    with pytest.raises(UsageError, match="ADL701"):
        cache.cache_subgraph(block, other)
    with pytest.raises(UsageError, match="without a seed"):
        cache.cache_subgraph(block, wanted(cache, sampling=Sampling(temperature=1.0)))
    assert cache.subgraphs.stats().entries == 0


CHILD = """
import sys, time
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from test_generation_cache import *
cache = GenerationCache(SqliteSubgraphCache(Path(sys.argv[1])))
def generate(numbers):
    with open(sys.argv[2], "a") as log:
        log.write("ran\\n")
    time.sleep(1.5)
    return [made() for _ in numbers]
print("ready", flush=True)
input()
print(cache.resolve([wanted(cache)], generate)[0].valid)
"""


def test_equal_requests_of_two_processes_run_once(tmp_path: Path) -> None:
    code = CHILD.format(root=str(Path(__file__).resolve().parents[3]), tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, str(tmp_path / "c.sqlite3"), str(tmp_path / "log")]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["True", "True"]
    assert (tmp_path / "log").read_text() == "ran\n"
