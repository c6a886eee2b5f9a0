"""What a prefix cache gives, keeps, refuses and counts, each on a case that can be read."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from agentic_dsl.errors import CacheError, UsageError
from agentic_dsl.runtime.prefix_cache.history import SeenPrefixes
from agentic_dsl.runtime.prefix_cache.payload import MEMORY, CountedPayload, DictTier, Shelf
from agentic_dsl.runtime.prefix_cache.policy import LruPolicy
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span, lay_out
from agentic_dsl.skills.segments import SegmentKind

SYSTEM, TOOLS, SKILL = SegmentKind.SYSTEM_PROMPT, SegmentKind.TOOL_DEFINITION, SegmentKind.SKILL
BRANCH, CHECKPOINT = SegmentKind.REASONING_BRANCH, SegmentKind.EXECUTION_CHECKPOINT
CONTEXT, QUESTION = SegmentKind.CONTEXT, SegmentKind.QUESTION

Cache = PrefixCache[CountedPayload]


def counted(start: int, end: int) -> CountedPayload:
    return CountedPayload(end - start)


def new(capacity: int = 100, *, spill_to: str | None = None, tier: DictTier[CountedPayload] | None = None) -> Cache:
    return PrefixCache(capacity, LruPolicy(), {"disk": Shelf(tier or DictTier())}, spill_to=spill_to)


def put(cache: Cache, *pieces: tuple[SegmentKind, str, Sequence[int]], program: int | None = None) -> list[int]:
    text: list[int] = []
    spans = []
    for kind, name, tokens in pieces:
        spans.append(Span(len(text), len(text) + len(tokens), kind, name))
        text += tokens
    cache.insert(text, counted, spans, program=program)
    return text


TOOL_A = (TOOLS, "a", range(10))
TOOL_B = (TOOLS, "b", range(100, 110))


def test_a_second_request_reuses_the_common_beginning() -> None:
    cache = new()
    put(cache, TOOL_A, (QUESTION, "", [50, 51, 52]))
    with cache.acquire([*range(10), 50, 99]) as lease:
        assert lease.length == 11
        assert [payload.tokens for payload in lease.payloads] == [10, 1]
    assert cache.statistics().kinds[TOOLS].tokens_saved == 10
    assert cache.statistics().total.hits == 1


def test_an_insert_asks_only_for_what_is_not_there() -> None:
    cache, asked = new(), []

    def payload_of(start: int, end: int) -> CountedPayload:
        asked.append((start, end))
        return CountedPayload(end - start)

    cache.insert([1, 2, 3, 4], payload_of)
    cache.insert([1, 2, 9, 9, 9], payload_of, [Span(0, 3, SYSTEM), Span(3, 5, QUESTION)])
    assert asked == [(0, 4), (2, 3), (3, 5)]


def test_the_newest_names_are_kept_and_split_what_they_part() -> None:
    cache = new()
    put(cache, (QUESTION, "now", range(10)))
    put(cache, (SKILL, "x", range(4)), (CONTEXT, "then", range(4, 10)), (QUESTION, "now", [77]))
    held = {kind: counts.tokens for kind, counts in cache.statistics().kinds.items()}
    assert held == {SKILL: 4, CONTEXT: 6, QUESTION: 1}


def test_what_is_leased_is_not_evicted() -> None:
    cache = new(20)
    text = put(cache, TOOL_A)
    lease = cache.acquire(text)
    done = cache.insert(range(200, 215), counted)
    assert (done.length, done.refused) == (0, 15)
    lease.release()
    assert cache.insert(range(200, 215), counted).length == 15
    assert cache.peek(text) == 0


def test_an_insert_that_does_not_fit_keeps_its_beginning_and_is_counted() -> None:
    cache = new(15)
    put(cache, TOOL_A, (CONTEXT, "", [70] * 10), (QUESTION, "", [71]))
    assert cache.peek(range(10)) == 10
    statistics = cache.statistics()
    assert statistics.total.refused == statistics.kinds[QUESTION].refused == statistics.kinds[CONTEXT].refused == 1
    assert statistics.kinds[TOOLS].refused == 0
    assert statistics.total.bytes == 10


def test_a_payload_larger_than_all_memory_evicts_nothing() -> None:
    cache = new(20)
    text = put(cache, TOOL_A)
    assert cache.insert([7] * 21, counted).refused == 21
    assert cache.peek(text) == 10


def test_pinned_segments_stay_also_those_that_come_later() -> None:
    cache = new(25)
    selector = Selector(kind=TOOLS)
    first = put(cache, TOOL_A)
    assert cache.pin(selector) == 10
    second = put(cache, TOOL_B)
    put(cache, (QUESTION, "", [1] * 5))
    put(cache, (QUESTION, "", [2] * 5))
    assert [cache.peek(text) for text in (first, second, [1] * 5)] == [10, 10, 0]
    assert cache.evict(selector) == 0
    assert cache.unpin(selector) == 20
    assert cache.evict(selector) == 20


def test_what_two_pins_are_about_stays_until_both_are_gone() -> None:
    cache = new()
    put(cache, TOOL_A)
    by_kind, by_name = Selector(kind=TOOLS), Selector(name="a")
    cache.pin(by_kind)
    cache.pin(by_name)
    assert cache.unpin(by_kind) == 0
    assert cache.evict(by_kind) == 0
    assert cache.unpin(by_name) == 10


def test_a_pin_on_tokens_splits_the_run_where_they_end() -> None:
    cache = new()
    cache.insert(range(10), counted)
    assert cache.pin(Selector(tokens=tuple(range(4)))) == 4
    assert cache.evict(Selector(kind=CONTEXT)) == 6
    assert cache.peek(range(10)) == 4


def test_a_pin_on_tokens_that_come_later_ends_where_they_end() -> None:
    cache = new()
    cache.pin(Selector(tokens=tuple(range(4))))
    cache.insert(range(10), counted)
    assert cache.evict(Selector(kind=CONTEXT)) == 6
    assert cache.peek(range(10)) == 4


def test_a_pin_below_a_text_is_about_what_comes_right_after_it() -> None:
    cache = new()
    cache.pin(Selector(below=tuple(range(10))))
    text = put(cache, TOOL_A, (QUESTION, "", [30] * 3))
    assert cache.evict(Selector(kind=QUESTION)) == 0
    assert cache.peek(text) == 13


def test_both_parts_of_a_pinned_run_stay_for_their_own_sake() -> None:
    cache = new()
    text = put(cache, TOOL_A)
    cache.pin(Selector(kind=TOOLS))
    put(cache, (TOOLS, "a", range(4)), (QUESTION, "", range(4, 10)))
    assert cache.evict(Selector(kind=QUESTION)) == 6
    assert cache.evict(Selector(kind=TOOLS)) == 0
    assert cache.peek(text) == 4
    cache.unpin(Selector(kind=TOOLS))
    assert cache.evict(Selector(kind=TOOLS)) == 4


def test_the_first_part_of_a_pinned_run_stays_when_the_second_is_lost() -> None:
    tier: DictTier[CountedPayload] = DictTier()
    cache = new(tier=tier)
    text = put(cache, TOOL_A)
    cache.pin(Selector(kind=TOOLS))
    cache.acquire([*text[:5], 99]).release()
    cache.move(Selector(below=tuple(text[:5])), "disk")
    tier.payloads.clear()
    with cache.acquire(text) as lease:
        assert lease.length == 5
    assert cache.evict(Selector(kind=TOOLS)) == 0


def test_taking_back_a_pin_splits_nothing_out_of_another() -> None:
    cache = new()
    text = put(cache, TOOL_A)
    cache.pin(Selector(kind=TOOLS))
    cache.move(Selector(kind=TOOLS), "disk")
    cache.pin(Selector(kind=SKILL, tokens=tuple(text[:4])))  # a part of a run that is not in memory to be split
    cache.prefetch(text)
    assert cache.unpin(Selector(name="other")) == 0
    assert cache.evict(Selector(kind=TOOLS)) == 0


def test_a_pinned_run_that_is_lost_keeps_nothing_else() -> None:
    tier: DictTier[CountedPayload] = DictTier()
    cache = new(tier=tier)
    text = put(cache, TOOL_A, (SKILL, "x", [20] * 5))
    cache.pin(Selector(kind=SKILL))
    cache.move(Selector(kind=SKILL), "disk")
    tier.payloads.clear()
    with cache.acquire(text) as lease:
        assert lease.length == 10
    assert cache.evict(Selector(kind=TOOLS)) == 10


class WideTier(DictTier[CountedPayload]):
    def store(self, key: str, payload: CountedPayload) -> int:
        return 3 * super().store(key, payload)


def test_a_tier_keeps_its_bound_where_copies_are_larger_than_in_memory() -> None:
    tier = WideTier()
    cache: Cache = PrefixCache(10, LruPolicy(), {"disk": Shelf(tier, 29)}, spill_to="disk")
    put(cache, TOOL_A)
    put(cache, TOOL_B)
    assert cache.statistics().total.stored_bytes == 0
    assert tier.payloads == {}


def test_evicting_a_segment_takes_what_goes_on_after_it() -> None:
    cache = new()
    text = put(cache, TOOL_A, (SKILL, "x", [20] * 5), (QUESTION, "", [30] * 3))
    assert cache.evict(Selector(SKILL, "x")) == 8
    assert cache.peek(text) == 10


def test_what_stands_below_a_text_can_be_evicted_alone() -> None:
    cache = new()
    text = put(cache, TOOL_A, (QUESTION, "", [30] * 3))
    assert cache.evict(Selector(below=tuple(range(10)))) == 3
    assert cache.evict(Selector(below=(5, 5))) == 0
    assert cache.peek(text) == 10


def test_checkpoints_stay_for_the_life_of_their_program() -> None:
    cache = new(20)
    program = cache.open_program()
    text = put(cache, (CHECKPOINT, "plan", [1] * 10), (BRANCH, "1", [2] * 5), program=program)
    put(cache, (BRANCH, "2", [3] * 9))
    assert cache.peek(text) == 10
    cache.close_program(program)
    put(cache, (BRANCH, "3", [4] * 15))
    assert cache.peek(text) == 0


def test_a_program_that_is_closed_cannot_ask() -> None:
    cache = new()
    program = cache.open_program()
    cache.close_program(program)
    for ask in (
        lambda: cache.acquire([1], program=program),
        lambda: cache.insert([1], counted, program=program),
        lambda: cache.close_program(program),
    ):
        with pytest.raises(UsageError, match=f"program {program} is not open"):
            ask()


def test_segments_move_to_a_tier_and_back() -> None:
    tier: DictTier[CountedPayload] = DictTier()
    cache = new(tier=tier)
    text = put(cache, TOOL_A, (SKILL, "x", [20] * 5))
    assert cache.move(Selector(kind=TOOLS), "disk") == 15
    assert cache.statistics().total.bytes == 0
    assert cache.statistics().total.stored_bytes == 15
    assert cache.peek(text) == 15
    assert cache.prefetch(range(10)) == 10
    assert cache.move(Selector(name="x"), MEMORY) == 5
    assert cache.statistics().total.bytes == 15
    assert len(tier.payloads) == 2


def test_a_look_up_brings_what_lies_on_a_tier() -> None:
    cache = new()
    text = put(cache, TOOL_A, (SKILL, "x", [20] * 5))
    cache.move(Selector(kind=TOOLS), "disk")
    with cache.acquire([*text[:12], 99]) as lease:
        assert lease.length == 12
    assert cache.statistics().total.bytes == 15


def test_what_memory_has_no_room_for_spills() -> None:
    cache = new(12, spill_to="disk")
    first = put(cache, TOOL_A)
    put(cache, TOOL_B)
    assert cache.statistics().total.stored_bytes == 10
    with cache.acquire(first) as lease:
        assert lease.length == 10


def test_a_copy_that_is_gone_or_of_another_length_is_a_miss() -> None:
    tier: DictTier[CountedPayload] = DictTier()
    cache = new(tier=tier)
    text = put(cache, TOOL_A, (QUESTION, "", [30] * 3))
    cache.move(Selector(kind=TOOLS), "disk")
    for key in tier.payloads:
        tier.payloads[key] = CountedPayload(1)
    with cache.acquire(text) as lease:
        assert lease.length == 0
    assert cache.statistics().total.damaged == 1
    assert cache.peek(text) == 0
    assert tier.payloads == {}


def test_an_insert_replaces_a_copy_that_is_gone() -> None:
    tier: DictTier[CountedPayload] = DictTier()
    cache = new(tier=tier)
    put(cache, TOOL_A)
    cache.move(Selector(kind=TOOLS), "disk")
    tier.payloads.clear()
    assert cache.insert([*range(5), 99], counted).length == 6
    assert cache.peek([*range(5), 99]) == 6
    assert cache.peek(range(10)) == 5


def test_a_payload_that_cannot_be_split_leaves_no_lease_behind() -> None:
    class Whole(CountedPayload):
        def split(self, at: int) -> tuple[CountedPayload, CountedPayload]:
            raise MemoryError

    cache = new()
    put(cache, TOOL_A)
    cache.insert([*range(10), 60, 61, 62], lambda start, end: Whole(end - start))
    with pytest.raises(MemoryError):
        cache.acquire([*range(10), 60, 99])
    assert cache.evict(Selector(kind=TOOLS)) + cache.evict(Selector(kind=CONTEXT)) == 13


class FullDisk(DictTier[CountedPayload]):
    def store(self, key: str, payload: CountedPayload) -> int:
        raise OSError(28, "No space left on device")


class BrokenDisk(DictTier[CountedPayload]):
    def load(self, key: str) -> CountedPayload | None:
        raise CacheError("the folder is gone")

    def delete(self, key: str) -> None:
        raise CacheError("the folder is gone")


def test_a_full_disk_loses_nothing_that_was_in_memory() -> None:
    cache = new(12, spill_to="disk", tier=FullDisk())
    first = put(cache, TOOL_A)
    assert cache.move(Selector(kind=TOOLS), "disk") == 0
    assert cache.peek(first) == 10
    second = put(cache, TOOL_B)
    assert (cache.peek(first), cache.peek(second)) == (0, 10)


def test_a_disk_that_fails_is_a_miss() -> None:
    cache = new(tier=BrokenDisk())
    text = put(cache, TOOL_A)
    cache.move(Selector(kind=TOOLS), "disk")
    with cache.acquire(text) as lease:
        assert lease.length == 0


def test_statistics_tell_computed_from_recomputed() -> None:
    cache = new(12)
    put(cache, TOOL_A)
    put(cache, TOOL_B)
    put(cache, TOOL_A, (QUESTION, "", [1, 2]))
    counts = cache.statistics()
    assert counts.total.tokens_computed == 32
    assert (counts.kinds[TOOLS].tokens_recomputed, counts.kinds[QUESTION].tokens_recomputed) == (10, 0)
    assert counts.kinds[TOOLS].evictions == 2
    assert counts.total.misses == 3


def test_clear_drops_everything_but_what_is_leased() -> None:
    cache = new()
    text = put(cache, TOOL_A, (QUESTION, "", [1]))
    cache.pin(Selector(kind=QUESTION))
    lease = cache.acquire(text[:10])
    assert cache.clear() == 1
    assert cache.peek(text) == 10
    lease.release()
    assert cache.clear() == 10
    assert cache.statistics().total.bytes == 0


@pytest.mark.parametrize(
    "spans",
    [
        [Span(0, 0, SKILL)],
        [Span(2, 1, SKILL)],
        [Span(-1, 2, SKILL)],
        [Span(0, 11, SKILL)],
        [Span(0, 5, SKILL), Span(4, 6, TOOLS)],
    ],
)
def test_spans_that_do_not_fit_are_refused(spans: list[Span]) -> None:
    with pytest.raises(UsageError, match="does not fit a prompt of 10 tokens"):
        new().insert(range(10), counted, spans)


def test_gaps_between_spans_are_context() -> None:
    assert lay_out([Span(2, 4, SKILL, "x")], 6) == (Span(0, 2, CONTEXT), Span(2, 4, SKILL, "x"), Span(4, 6, CONTEXT))


def test_spans_that_mean_the_same_become_one() -> None:
    assert lay_out([Span(0, 2, SKILL, "x"), Span(2, 4, SKILL, "x")], 4) == (Span(0, 4, SKILL, "x"),)


def test_what_was_seen_is_remembered_within_a_bound() -> None:
    seen = SeenPrefixes(limit=100)
    texts = [array("i", [number] * 10) for number in range(200)]
    for text in texts:
        assert seen.add(text) == 0
    assert seen._young.tokens + seen._old.tokens <= 220
    assert [seen.add(text) for text in texts[-10:]] == [10] * 10
    assert seen.add(texts[0]) == 0


def test_a_block_of_several_kinds_belongs_to_the_last() -> None:
    spans = [Span(0, 6, TOOLS), Span(6, 7, SKILL), Span(7, 12, QUESTION)]
    assert lay_out(spans, 12, 4) == (Span(0, 4, TOOLS), Span(4, 12, QUESTION))


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (lambda: Selector(), "nothing says which segments"),
        (lambda: PrefixCache(-1), "a capacity of -1 bytes"),
        (lambda: PrefixCache(1, tiers={MEMORY: Shelf(DictTier())}), 'cannot be called "memory"'),
        (lambda: PrefixCache(1, spill_to="tape"), 'no tier "tape"'),
        (lambda: new().move(Selector(kind=TOOLS), "tape"), 'no tier "tape"'),
        (lambda: new().insert([1, 2], lambda start, end: CountedPayload(1)), "is for 1 tokens"),
    ],
)
def test_misuse_is_an_error_with_help(misuse: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        misuse()
    assert caught.value.help


def test_a_payload_that_cannot_be_made_leaves_the_cache_whole() -> None:
    cache = new()

    def fail(start: int, end: int) -> CountedPayload:
        if start:
            raise MemoryError
        return CountedPayload(end - start)

    with pytest.raises(MemoryError):
        cache.insert(range(10), fail, [Span(0, 4, TOOLS), Span(4, 10, QUESTION)])
    assert cache.peek(range(10)) == 4
    assert cache.evict(Selector(kind=TOOLS)) == 4


def test_threads_share_a_cache_within_its_bound() -> None:
    cache: Cache = PrefixCache(400, tiers={"disk": Shelf(DictTier(), 300)}, spill_to="disk")
    start = threading.Barrier(4)

    def work(seed: int) -> int:
        random, wrong = Random(seed), 0
        start.wait()
        for _ in range(400):
            text = [random.randrange(3) for _ in range(random.randrange(1, 40))]
            program = cache.open_program()
            with cache.acquire(text, program=program) as lease:
                wrong += sum(payload.tokens for payload in lease.payloads) != lease.length
                cache.insert(text, counted, [Span(0, 1, random.choice(list(SegmentKind)))], program=program)
                wrong += cache.peek(text) < lease.length
                wrong += cache.statistics().total.bytes > 400
            if random.random() < 0.05:
                cache.evict(Selector(kind=random.choice(list(SegmentKind))))
            cache.close_program(program)
        return wrong

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 0
    assert (cache.statistics().leases, cache.statistics().programs) == (0, 0)
    cache.clear()
    assert cache.statistics().total.bytes == cache.statistics().total.stored_bytes == 0
