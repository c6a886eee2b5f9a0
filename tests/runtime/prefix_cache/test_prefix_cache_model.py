"""Whatever is done to a prefix cache: what it gives is right, its bound holds, and what must stay stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentic_dsl.runtime.prefix_cache.lease import Lease
from agentic_dsl.runtime.prefix_cache.payload import MEMORY, DictTier, Shelf
from agentic_dsl.runtime.prefix_cache.policy import LruPolicy, TypedPolicy
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.radix_tree import Node
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.skills.segments import SegmentKind
from tests.strategies.profile import law

KINDS = (
    SegmentKind.TOOL_DEFINITION,
    SegmentKind.CONTEXT,
    SegmentKind.REASONING_BRANCH,
    SegmentKind.EXECUTION_CHECKPOINT,
)
CHECKPOINT = SegmentKind.EXECUTION_CHECKPOINT


@dataclass(frozen=True)
class Prefixes:
    """What attention gives: the value of a token depends on all tokens before it."""

    of: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> int:
        return len(self.of)

    @property
    def nbytes(self) -> int:
        return 10 * len(self.of)

    def split(self, at: int) -> tuple[Prefixes, Prefixes]:
        return Prefixes(self.of[:at]), Prefixes(self.of[at:])


def payload_of(text: list[int]) -> Callable[[int, int], Prefixes]:
    return lambda start, end: Prefixes(tuple(tuple(text[: at + 1]) for at in range(start, end)))


class CacheModel(RuleBasedStateMachine):
    """Beside the cache: what was ever inserted, and which prompts must not go."""

    block = 1
    texts = st.lists(st.integers(0, 2), max_size=6)

    @initialize(
        policy=st.sampled_from([LruPolicy(), TypedPolicy()]),
        capacity=st.sampled_from([0, 100, 300, 600, 5000]),
        disk=st.sampled_from([None, 0, 200, 1000]),
        spills=st.booleans(),
    )
    def make(self, policy: LruPolicy | TypedPolicy, capacity: int, disk: int | None, spills: bool) -> None:
        self.disk: DictTier[Prefixes] = DictTier()
        self.disk_capacity = None if disk is None else disk * self.block
        self.capacity = capacity * self.block
        self.cache: PrefixCache[Prefixes] = PrefixCache(
            self.capacity,
            policy,
            {"disk": Shelf(self.disk, self.disk_capacity)},
            spill_to="disk" if spills else None,
            block_tokens=self.block,
        )
        self.ever: set[tuple[int, ...]] = set()
        self.leases: list[tuple[Lease[Prefixes], list[int]]] = []
        self.pins: list[Selector] = []
        self.programs: list[int] = []
        self.used: list[list[int]] = [[]]

    def text(self, data: st.DataObject) -> list[int]:
        """A text that goes on, somewhere, otherwise than an earlier one."""
        known = data.draw(st.sampled_from(self.used))
        text = known[: data.draw(st.integers(0, len(known)))] + data.draw(self.texts)
        self.used = [*self.used[-7:], text]
        return text

    def program(self, data: st.DataObject) -> int | None:
        return data.draw(st.sampled_from([None, *self.programs]))

    def selector(self, data: st.DataObject) -> Selector:
        text = st.none() | st.builds(
            lambda known, end: tuple(known[:end]), st.sampled_from(self.used), st.integers(0, 99)
        )
        kind, name, tokens, below = data.draw(
            st.tuples(st.none() | st.sampled_from(KINDS), st.none() | st.sampled_from("ab"), text, text).filter(any)
            | st.sampled_from(KINDS).map(lambda kind: (kind, None, None, None))
        )
        return Selector(kind, name, tokens, below)

    @rule(data=st.data())
    def insert(self, data: st.DataObject) -> None:
        text = self.text(data)
        borders = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)))
        spans = [
            Span(start, end, data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from("ab")))
            for start, end in pairwise(borders)
        ]
        done = self.cache.insert(text, payload_of(text), spans, program=self.program(data))
        whole = len(text) // self.block * self.block
        assert done.length + done.refused == whole
        assert 0 <= done.new <= done.length
        assert self.cache.peek(text) >= done.length
        self.ever |= {tuple(text[:end]) for end in range(1, whole + 1)}

    @rule(data=st.data())
    def acquire(self, data: st.DataObject) -> None:
        text = self.text(data)
        known = self.cache.peek(text)
        lease = self.cache.acquire(text, program=self.program(data))
        assert lease.length <= known
        self.leases.append((lease, text))

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease, _ = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        lease.release()
        lease.release()

    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        self.pins.append(self.selector(data))
        self.cache.pin(self.pins[-1])

    @precondition(lambda self: self.pins)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        selector = data.draw(st.sampled_from(self.pins))
        self.pins = [pin for pin in self.pins if pin != selector]
        self.cache.unpin(selector)

    @rule(data=st.data())
    def evict(self, data: st.DataObject) -> None:
        selector = self.selector(data)
        self.cache.evict(selector)
        for node in self.nodes():
            if selector.aligned(self.block).picks(node.value.label, node.prefix()):
                assert node.value.locked or (selector.tokens is not None and node.value.payload is None)

    @rule(data=st.data(), tier=st.sampled_from([MEMORY, "disk"]))
    def move(self, data: st.DataObject, tier: str) -> None:
        self.cache.move(self.selector(data), tier)

    @rule(data=st.data())
    def prefetch(self, data: st.DataObject) -> None:
        self.cache.prefetch(self.text(data))

    @precondition(lambda self: self.disk.payloads)
    @rule(data=st.data())
    def lose_a_file(self, data: st.DataObject) -> None:
        del self.disk.payloads[data.draw(st.sampled_from(sorted(self.disk.payloads)))]

    @rule()
    def open_program(self) -> None:
        self.programs.append(self.cache.open_program())

    @precondition(lambda self: self.programs)
    @rule(data=st.data())
    def close_program(self, data: st.DataObject) -> None:
        program = data.draw(st.sampled_from(self.programs))
        self.programs.remove(program)
        self.cache.close_program(program)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        assert all(node.value.leases for node in self.cache._cache.tree.walk())

    def nodes(self) -> list[Node[Run[Prefixes]]]:
        return list(self.cache._cache.tree.walk())

    @invariant()
    def what_is_leased_is_there_and_right(self) -> None:
        for lease, text in self.leases:
            assert [value for payload in lease.payloads for value in payload.of] == [
                tuple(text[: at + 1]) for at in range(lease.length)
            ]
            match = self.cache._cache.tree.match(text[: lease.length])
            assert match.length == lease.length
            assert all(node.value.payload is not None for node in match.path)

    @invariant()
    def every_run_is_what_was_inserted(self) -> None:
        for node in self.nodes():
            text = node.prefix().tolist()
            run = node.value
            assert tuple(text) in self.ever
            assert (run.start, run.length) == (node.start, len(node.tokens))
            if run.payload is not None:
                assert run.payload == payload_of(text)(node.start, node.end)
                assert run.nbytes == run.payload.nbytes
            else:
                assert run.stored is not None
                assert run.leases == 0
            if run.stored is not None and run.stored.key in self.disk.payloads:
                assert self.disk.payloads[run.stored.key] == payload_of(text)(node.start, node.end)

    @invariant()
    def the_bounds_hold_and_the_sums_are_right(self) -> None:
        core, nodes = self.cache._cache, self.nodes()
        resident = [node.value for node in nodes if node.value.payload is not None]
        assert core.bytes == sum(run.nbytes for run in resident) <= self.capacity
        assert core._locked_bytes == sum(run.nbytes for run in resident if run.locked)
        stored = [run.stored for run in (node.value for node in nodes) if run.stored is not None]
        assert core.shelves.used["disk"] == sum(copy.nbytes for copy in stored)
        assert self.disk_capacity is None or core.shelves.used["disk"] <= self.disk_capacity
        assert set(self.disk.payloads) <= {copy.key for copy in stored}
        statistics = self.cache.statistics()
        assert statistics.total.bytes == core.bytes
        for kind in KINDS:
            counts = statistics.kinds.get(kind)
            mine = [run for run in resident if run.kind is kind]
            assert (0 if counts is None else counts.tokens) == sum(run.length for run in mine)
            assert (0 if counts is None else counts.stored_bytes) == sum(
                node.value.stored.nbytes for node in nodes if node.value.kind is kind and node.value.stored is not None
            )
        assert statistics.leases == len(self.leases)

    @invariant()
    def the_counters_are_what_a_look_at_everything_gives(self) -> None:
        tree = self.cache._cache.tree
        held: dict[int, int] = {}
        for lease, text in self.leases:
            if lease.length:
                node = tree.match(text[: lease.length]).path[-1]
                held[id(node)] = held.get(id(node), 0) + 1
        for node in self.nodes():
            run, children = node.value, node.children.values()
            assert run.leases == held.get(id(node), 0) + sum(child.value.leases > 0 for child in children)
            assert run.kept == (run.pinned or (run.kind is CHECKPOINT and bool(run.programs)))
            assert run.keeps == run.kept + sum(child.value.keeps > 0 for child in children)
            assert run.resident_children == sum(child.value.payload is not None for child in children)
            assert run.payload is not None or not run.resident_children
            assert run.programs <= set(self.programs)
            prompt, label = node.prefix(), run.label
            assert run.pinned == any(pin.picks(label, prompt) for pin in self.aligned_pins())
        for program, users in self.cache._cache._programs.items():
            assert users == {node for node in self.nodes() if program in node.value.programs}

    def aligned_pins(self) -> list[Selector]:
        return [pin.aligned(self.block) for pin in self.pins]

    @invariant()
    def the_queue_gives_what_a_scan_gives(self) -> None:
        core = self.cache._cache
        free = [
            node
            for node in self.nodes()
            if node.value.payload is not None and not node.value.resident_children and not node.value.locked
        ]
        assert set(core._queue._tickets) == set(free)
        if free:
            first = core._queue.first()
            assert first is not None
            assert core.policy.priority(first.value) == min(core.policy.priority(node.value) for node in free)
        on_disk = [node for node in self.nodes() if node.value.stored is not None]
        can_go = {n for n in on_disk if n.value.payload is not None or not (n.children or n.value.locked)}
        assert set(core.shelves.queues["disk"]._tickets) == can_go
        for queue in (core._queue, core.shelves.queues["disk"]):
            for priority, ticket, node in queue._heap:
                assert queue._tickets.get(node) != ticket or priority == core.policy.priority(node.value)


class BlockCacheModel(CacheModel):
    """The same in blocks of 16."""

    block = 16
    texts = st.lists(st.sampled_from([[0] * 16, [0] * 15 + [1], [1] + [0] * 15]), max_size=5).flatmap(
        lambda blocks: st.lists(st.just(0), max_size=15).map(
            lambda tail: [*(token for block in blocks for token in block), *tail]
        )
    )


TestCacheModel = CacheModel.TestCase
TestCacheModel.settings = law(30)
TestBlockCacheModel = BlockCacheModel.TestCase
TestBlockCacheModel.settings = law(20)
