"""The order in which kinds go, and what it saves on the mixed load."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.policy import FIRST_TO_GO, LAST_TO_GO, EvictionPolicy, LruPolicy, TypedPolicy
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.runtime.prefix_cache.victims import VictimQueue
from agentic_dsl.skills.segments import SegmentKind
from benchmarks.bench_prefix_policy import BASELINE, TYPED, main, saved, scene
from benchmarks.prefix_workload import Closed, Opened, Parameters, Request, Workload
from tests.strategies.profile import law

QUESTION, BRANCH, TOOLS = SegmentKind.QUESTION, SegmentKind.REASONING_BRANCH, SegmentKind.TOOL_DEFINITION
SKILL, CONTEXT, CHECKPOINT = SegmentKind.SKILL, SegmentKind.CONTEXT, SegmentKind.EXECUTION_CHECKPOINT


def run(kind: SegmentKind, used: int, *, over: bool = False, start: int = 0) -> Run[CountedPayload]:
    made: Run[CountedPayload] = Run(Span(start, start + 10, kind), used)
    made.over = over
    return made


def counted(start: int, end: int) -> CountedPayload:
    return CountedPayload(end - start)


def test_the_order_is_what_the_table_says() -> None:
    policy = TypedPolicy()
    order = [
        run(BRANCH, 9, over=True),
        run(QUESTION, 10, over=True),
        run(CONTEXT, 8, over=True),
        run(SKILL, 1, over=True),
        run(BRANCH, 2, start=50),
        run(CONTEXT, 2),
        run(SKILL, 3),
        run(TOOLS, 0, over=True),
        run(SegmentKind.SYSTEM_PROMPT, 1),
    ]
    assert sorted(order, key=policy.priority) == order


def test_every_kind_has_one_place_in_the_order() -> None:
    rows = [*FIRST_TO_GO, LAST_TO_GO]
    assert sum(map(len, rows)) == len(frozenset().union(*rows))


@law(60)
@given(st.lists(st.tuples(st.sampled_from([BRANCH, TOOLS, SKILL]), st.integers(1, 12)), max_size=30))
def test_no_tool_definition_goes_while_anything_else_can(pieces: list[tuple[SegmentKind, int]]) -> None:
    cache: PrefixCache[CountedPayload] = PrefixCache(40)
    for number, (kind, length) in enumerate(pieces):
        before = cache.statistics().kinds
        cache.insert([number] * length, counted, [Span(0, length, kind)])
        after = cache.statistics().kinds
        if TOOLS in before and after[TOOLS].evictions > before[TOOLS].evictions:
            assert kind is TOOLS
            assert all(counts.tokens == 0 for other, counts in after.items() if other is not TOOLS)


def test_a_new_branch_displaces_no_tools_and_is_refused() -> None:
    cache: PrefixCache[CountedPayload] = PrefixCache(10)
    cache.insert(range(10), counted, [Span(0, 10, TOOLS)])
    assert cache.insert([77], counted, [Span(0, 1, BRANCH)]).refused == 1
    lru: PrefixCache[CountedPayload] = PrefixCache(10, LruPolicy())
    lru.insert(range(10), counted, [Span(0, 10, TOOLS)])
    assert lru.insert([77], counted, [Span(0, 1, BRANCH)]).refused == 0


@pytest.mark.parametrize(("policy", "stays"), [(TypedPolicy(), True), (LruPolicy(), False)])
def test_what_a_closed_program_left_goes_before_older_things(policy: EvictionPolicy, stays: bool) -> None:
    cache: PrefixCache[CountedPayload] = PrefixCache(20, policy)
    skill = list(range(10))
    cache.insert(skill, counted, [Span(0, 10, SKILL)])
    program = cache.open_program()
    cache.insert([50] * 10, counted, [Span(0, 10, BRANCH)], program=program)
    cache.close_program(program)
    cache.insert([60] * 10, counted, [Span(0, 10, BRANCH)])
    assert cache.peek(skill) == (10 if stays else 0)


def test_what_is_asked_for_again_is_not_over() -> None:
    cache: PrefixCache[CountedPayload] = PrefixCache(20)
    program = cache.open_program()
    cache.insert([50] * 10, counted, [Span(0, 10, BRANCH)], program=program)
    cache.close_program(program)
    cache.insert([40] * 10, counted, [Span(0, 10, BRANCH)])
    cache.acquire([50] * 10).release()
    cache.insert([60] * 10, counted, [Span(0, 10, BRANCH)])
    assert (cache.peek([50] * 10), cache.peek([40] * 10)) == (10, 0)


def test_the_queue_keeps_few_stale_entries() -> None:
    queue: VictimQueue[int] = VictimQueue()
    for number in range(10_000):
        queue.offer(number % 50, (number,))
        if number % 3 == 0:
            queue.withdraw(number % 7)
    assert len(queue._heap) <= 2 * len(queue) + 64
    assert queue.first() in range(50)


def test_the_workload_is_the_same_for_the_same_seed_and_closes_what_it_opens() -> None:
    parameters = Parameters(programs=20)
    events = list(Workload(parameters, 7).events())
    assert events == list(Workload(parameters, 7).events())
    assert events != list(Workload(parameters, 8).events())
    opened = [event.program for event in events if isinstance(event, Opened)]
    assert sorted(opened) == sorted(event.program for event in events if isinstance(event, Closed))
    assert len(opened) >= parameters.programs
    for request in (event for event in events if isinstance(event, Request)):
        assert [span.start for span in request.spans] == [0, *(span.end for span in request.spans[:-1])]
        assert request.prompt < request.spans[-1].end == len(request.tokens)


def test_a_fork_has_three_branches_that_begin_alike() -> None:
    events = Workload(Parameters(programs=1, fork_rate=1, delegation_rate=0), 3).events()
    requests = [event for event in events if isinstance(event, Request)]
    names = {span.name for request in requests for span in request.spans if span.kind is BRANCH}
    assert names == {"branch-0", "branch-1", "branch-2", "join"}
    plan = requests[0].tokens
    assert all(request.tokens[: len(plan)] == plan for request in requests)


def test_a_fifth_of_the_requests_need_skills() -> None:
    requests = [e for e in islice(Workload(Parameters(), 0).events(), 3_000) if isinstance(e, Request)]
    share = sum(any(span.kind is SKILL for span in request.spans) for request in requests) / len(requests)
    assert 0.12 < share < 0.28


def test_the_typed_policy_recomputes_a_quarter_less_than_lru() -> None:
    for seed in (11, 12):
        small = scene(Parameters(programs=200), seed)
        lru = small.recomputed(BASELINE, 0.5)
        assert lru > 10_000
        assert saved(small.recomputed(TYPED, 0.5), lru) >= 0.25


def test_the_benchmark_prints_its_parameters_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--programs", "20", "--seeds", "5", "--shares", "0.35"])
    printed = capsys.readouterr().out
    assert "tool_call_rate 0.6, delegation_rate 0.15, delegation_depth 2" in printed
    assert "| 35% |" in printed
