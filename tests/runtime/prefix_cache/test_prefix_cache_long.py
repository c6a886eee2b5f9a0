"""A million operations leave nothing behind."""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Iterator
from random import Random

import pytest

from agentic_dsl.runtime.prefix_cache.payload import CountedPayload, DictTier, Shelf
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.radix_tree import Node
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.runtime.prefix_cache.victims import VictimQueue
from agentic_dsl.skills.segments import SegmentKind

OPERATIONS = 1_000_000
CAPACITY = 2_000
KINDS = tuple(SegmentKind)


def counted(start: int, end: int) -> CountedPayload:
    return CountedPayload(end - start)


def texts() -> list[tuple[array[int], tuple[Span, ...]]]:
    """Prompts that begin alike in many ways; ten times what fits."""
    random, made = Random(0), []
    for _ in range(2_000):
        text = array("i", [random.randrange(4) for _ in range(random.randrange(4, 40))])
        border = random.randrange(1, len(text))
        spans = (Span(0, border, random.choice(KINDS), "a"), Span(border, len(text), random.choice(KINDS), "b"))
        made.append((text, spans))
    return made


def operations(cache: PrefixCache[CountedPayload]) -> Iterator[None]:
    """One operation a step, for ever; open programs and leases are few at any time."""
    random, known = Random(1), texts()
    programs: list[int] = []
    pins: list[Selector] = []
    while True:
        text, spans = random.choice(known)
        program = random.choice(programs) if programs else None
        for other, _ in random.choices(known, k=2):
            with cache.acquire(other):
                yield
            yield  # the release
        with cache.acquire(text, program=program):
            yield
            cache.insert(text, counted, spans, program=program)
            yield
        yield  # the release
        chance = random.random()
        if chance < 0.02:
            programs.append(cache.open_program())
            yield
        elif chance < 0.04 and programs:
            cache.close_program(programs.pop(0))
            yield
        elif chance < 0.041 and len(pins) < 5:
            pins.append(Selector(random.choice(KINDS), tokens=tuple(text)))
            cache.pin(pins[-1])
            yield
        elif chance < 0.042 and pins:
            cache.unpin(pins.pop(0))
            yield
        elif chance < 0.043:
            cache.evict(Selector(below=tuple(text[:3])))
            yield
        elif chance < 0.044:
            cache.move(Selector(tokens=tuple(text)), "disk")
            yield
        if len(programs) > 20:
            cache.close_program(programs.pop(0))
            yield


def live(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


def stale(queue: VictimQueue[Node[Run[CountedPayload]]]) -> int:
    return len(queue._heap) - len(queue)


@pytest.mark.slow
def test_a_million_operations_leave_nothing_behind() -> None:
    before = live(Node)
    tier: DictTier[CountedPayload] = DictTier()
    cache: PrefixCache[CountedPayload] = PrefixCache(
        CAPACITY, tiers={"disk": Shelf(tier, CAPACITY)}, spill_to="disk", remembered_tokens=10_000
    )
    steps, blocks = operations(cache), []
    for number in range(OPERATIONS):
        next(steps)
        if number % 1_000 == 0:
            assert cache.statistics().total.bytes <= CAPACITY
            assert sum(payload.nbytes for payload in tier.payloads.values()) <= CAPACITY
        if number % 100_000 == 0:
            gc.collect()
            blocks.append(sys.getallocatedblocks())
    core = cache._cache
    held = core.tree.nodes + cache._seen._young.nodes + cache._seen._old.nodes + 3  # three roots
    queues = (core._queue, core.shelves.queues["disk"])
    assert all(stale(queue) <= len(queue) + 64 for queue in queues)
    assert held <= live(Node) - before <= held + sum(map(stale, queues))
    # From the tenth part on the cache is full, and what it holds goes up and down with the prompts that are in it.
    settled = blocks[2:]
    assert max(settled[-3:]) < 1.25 * max(settled[:3])
    steps.close()
    cache.clear()
    assert core.bytes == 0
    assert tier.payloads == {}
    del cache, core, queues, steps
    assert live(Node) == before
    assert live(Run) == 0
