"""The tree of a prefix cache with its bytes: what is in memory, on a tier, held, and what goes to make room.

Kept at all times:

1. what is in memory takes at most ``capacity_bytes``;
2. a run that is in memory has all runs before it in memory, so what goes first are leaves of what is in memory;
3. what is leased is in memory; what is pinned, or an open program's checkpoint, is in memory or on a tier.

One thread at a time: `PrefixCache` locks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Generic

from agentic_dsl.runtime.prefix_cache.payload import P, Shelf
from agentic_dsl.runtime.prefix_cache.policy import EvictionPolicy
from agentic_dsl.runtime.prefix_cache.radix_tree import Node, RadixTree
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.shelves import Shelves
from agentic_dsl.runtime.prefix_cache.statistics import Ledger
from agentic_dsl.runtime.prefix_cache.victims import VictimQueue
from agentic_dsl.skills.segments import SegmentKind


class TypedTree(Generic[P]):
    """See the module.

    Attributes:
        tree: every run, wherever its payload is.
        bytes: of all payloads in memory.
        clock: requests so far.
    """

    def __init__(
        self,
        capacity_bytes: int,
        policy: EvictionPolicy,
        shelves: Mapping[str, Shelf[P]],
        *,
        spill_to: str | None,
        block_tokens: int,
    ) -> None:
        self.tree: RadixTree[Run[P]] = RadixTree(block_tokens)
        self.capacity_bytes = capacity_bytes
        self.policy = policy
        self.shelves = Shelves(shelves)
        self.spill_to = None if spill_to is None else self.shelves.require(spill_to)
        self.ledger = Ledger()
        self.bytes = 0
        self.clock = 0
        self._locked_bytes = 0
        self._queue: VictimQueue[Node[Run[P]]] = VictimQueue()
        self._programs: dict[int, set[Node[Run[P]]]] = {}

    # Look-ups

    def take(self, tokens: array[int]) -> list[Node[Run[P]]]:
        """The runs of the longest known beginning, from the top, all brought into memory; the last one is held."""
        match = self.tree.match(tokens)
        path: list[Node[Run[P]]] = []
        try:
            for node in match.path:
                if not self.bring(node):
                    return path
                self.hold_next(path[-1] if path else None, node)
                path.append(node)
            if match.partial is not None and self.bring(match.partial):
                upper = self.cut(match.partial, match.length - match.partial.start)
                self.hold_next(path[-1] if path else None, upper)
                path.append(upper)
        except BaseException:  # a payload that cannot be split; nobody would release what was held so far
            self.release(path[-1] if path else None)
            raise
        return path

    def hold_next(self, held: Node[Run[P]] | None, node: Node[Run[P]]) -> None:
        """Holds a run, and so all before it, instead of the one before it."""
        self._lock(node, leases=1)
        self.release(held)

    def release(self, held: Node[Run[P]] | None) -> None:
        """Takes one hold from a run."""
        if held is not None:
            self._lock(held, leases=-1)

    def _lock(self, node: Node[Run[P]] | None, *, leases: int = 0, keeps: int = 0) -> None:
        """Changes one counter of a run, and those before it as far as that makes or frees the first reason to stay."""
        while node is not None:
            run = node.value
            locked, reasons = run.locked, (run.leases > 0, run.keeps > 0)
            run.leases += leases
            run.keeps += keeps
            if locked != run.locked:
                if run.payload is not None:
                    self._locked_bytes += run.nbytes if run.locked else -run.nbytes
                self.review(node)
            if reasons == (run.leases > 0, run.keeps > 0):
                return
            node = self.tree.parent_of(node)

    # Memory

    def bring(self, node: Node[Run[P]]) -> bool:
        """Loads a run whose parent is in memory, if it is not there; False where there is no room or no copy."""
        run = node.value
        if run.payload is not None:
            return True
        parent = self.tree.parent_of(node)
        self._lock(parent, leases=1)  # making room must not take away what it stands on
        try:
            if run.stored is None or not self.make_room(run.nbytes, run) or node.parent is None:
                return False  # it was dropped before, or there is no room, or making room dropped it
            payload = self.shelves.load(node)
            if payload is None:
                self.ledger.add(run.kind, damaged=1)
                self.drop(node)
                return False
            return self.enter(node, payload)
        finally:
            self._lock(parent, leases=-1)

    def enter(self, node: Node[Run[P]], payload: P) -> bool:
        """Puts the payload of a run into memory; False where there is no room for it."""
        run = node.value
        nbytes = payload.nbytes
        if not self.make_room(nbytes, run) or node.parent is None:
            return False
        run.payload, run.nbytes = payload, nbytes
        self._count(run, 1)
        parent = self.tree.parent_of(node)
        if parent is not None:
            parent.value.resident_children += 1
            self.review(parent)
        self.review(node)
        return True

    def leave(self, node: Node[Run[P]]) -> None:
        """Takes the payload of a run out of memory; nothing in memory builds on it."""
        run = node.value
        self._count(run, -1)
        run.payload = None
        parent = self.tree.parent_of(node)
        if parent is not None:
            parent.value.resident_children -= 1
            self.review(parent)
        self.review(node)

    def _count(self, run: Run[P], sign: int) -> None:
        self.bytes += sign * run.nbytes
        if run.locked:
            self._locked_bytes += sign * run.nbytes
        self.ledger.add(run.kind, tokens=sign * run.length, bytes=sign * run.nbytes)

    def make_room(self, nbytes: int, newcomer: Run[P]) -> bool:
        """Evicts until so many bytes more fit; False, with nothing lost for it, where they cannot."""
        if nbytes > self.capacity_bytes - self._locked_bytes:
            return False
        while self.bytes + nbytes > self.capacity_bytes:
            victim = self._queue.first()
            if victim is None or not self.policy.may_replace(victim.value, newcomer):
                return False
            self.ledger.add(victim.value.kind, evictions=1)
            self._evict(victim)
        return True

    def _evict(self, victim: Node[Run[P]]) -> None:
        """Takes a run out of memory: it stays where it has a copy, or gets one if that is wanted, or goes."""
        if victim.value.stored is None and self.spill_to is not None:
            self.store(victim, self.spill_to)
        if victim.value.stored is None:
            self.drop(victim)
        else:
            self.leave(victim)

    def store(self, node: Node[Run[P]], tier: str) -> bool:
        """Copies a run that is in memory to a tier; False where the tier cannot keep it."""
        run = node.value
        if run.stored is not None and run.stored.tier == tier:
            return True
        if not self._make_shelf_room(tier, run.nbytes, run):
            return False
        self._forget_copy(node)
        if not self.shelves.store(tier, node):
            return False
        self.ledger.add(run.kind, stored_bytes=self._stored_bytes(run))
        if not self._make_shelf_room(tier, 0, run):  # it takes more there than in memory
            self._forget_copy(node)
        self.review(node)
        return run.stored is not None

    def _make_shelf_room(self, tier: str, nbytes: int, newcomer: Run[P]) -> bool:
        """As `make_room`, for a tier. Of what is in memory too only the copy goes."""
        while not self.shelves.has_room(tier, nbytes):
            victim = self.shelves.queues[tier].first()
            if victim is None or not self.policy.may_replace(victim.value, newcomer):
                return False
            if victim.value.payload is None:
                self.ledger.add(victim.value.kind, evictions=1)
                self.drop(victim)
            else:
                self._forget_copy(victim)
        return True

    def _forget_copy(self, node: Node[Run[P]]) -> None:
        freed = self.shelves.forget(node)
        self.ledger.add(node.value.kind, stored_bytes=-freed)

    @staticmethod
    def _stored_bytes(run: Run[P]) -> int:
        return 0 if run.stored is None else run.stored.nbytes

    # The shape of the tree

    def cut(self, node: Node[Run[P]], at: int) -> Node[Run[P]]:
        """Splits a run that is in memory; the upper part, while ``node`` stays the lower one. A copy is deleted."""
        before = node.value
        upper = self.tree.split(node, at)
        node.value.stored = before.stored
        self._forget_copy(node)
        self._count(before, -1)
        for half in (upper, node):
            self._count(half.value, 1)
            for program in half.value.programs:
                self._programs[program].add(half)
        self.review(upper)
        self.review(node)
        self.recheck(upper)
        return upper

    def attach(self, parent: Node[Run[P]] | None, tokens: array[int], run: Run[P], payload: P) -> Node[Run[P]] | None:
        """Adds a new run below one that is in memory; None where there is no room."""
        if not self.make_room(payload.nbytes, run):
            return None
        node = self.tree.attach(parent, tokens, run)
        self.enter(node, payload)
        return node

    def drop(self, node: Node[Run[P]]) -> None:
        """Forgets a run and everything below it, wherever it is."""
        for each in reversed(list(self.tree.walk(node))):
            self._keep(each, False)
            for program in each.value.programs:
                self._programs[program].discard(each)
            if each.value.payload is not None:
                self.leave(each)
            self._forget_copy(each)
            self._queue.withdraw(each)
            parent = self.tree.parent_of(each)
            self.tree.remove(each)
            if parent is not None:
                self.review(parent)

    def relabel(self, node: Node[Run[P]], kind: SegmentKind, name: str) -> None:
        """Says what a run is from now on."""
        run = node.value
        resident = run.payload is not None
        if resident:
            self._count(run, -1)
        self.ledger.add(run.kind, stored_bytes=-self._stored_bytes(run))
        run.kind, run.name = kind, name
        self.ledger.add(run.kind, stored_bytes=self._stored_bytes(run))
        if resident:
            self._count(run, 1)
        self.recheck(node)
        self.review(node)

    # Who needs what

    def review(self, node: Node[Run[P]]) -> None:
        """Makes a run a candidate to go, with today's priority, or none: to be called whenever it changed."""
        run = node.value
        if run.payload is not None and not run.resident_children and not run.locked:
            self._queue.offer(node, self.policy.priority(run))
        else:
            self._queue.withdraw(node)
        if run.stored is not None:
            queue = self.shelves.queues[run.stored.tier]
            if run.payload is not None or not (node.children or run.locked):
                queue.offer(node, self.policy.priority(run))
            else:
                queue.withdraw(node)

    def touch(self, node: Node[Run[P]], program: int | None) -> None:
        """It was made or reused now, by this program."""
        run = node.value
        run.used, run.over = self.clock, False
        if program is not None and program not in run.programs:
            run.programs |= {program}
            self._programs[program].add(node)
            self.recheck(node)
        if run.stored is not None:
            self.review(node)  # its copy has a place among those on the tier

    def open_program(self, program: int) -> None:
        """From now on its checkpoints stay."""
        self._programs[program] = set()

    def close_program(self, program: int) -> None:
        """Its checkpoints may go, and what only it used counts as used by nobody."""
        for node in self._programs.pop(program):
            node.value.programs -= {program}
            node.value.over = not node.value.programs
            self.recheck(node)
            self.review(node)

    def pin(self, nodes: Iterable[Node[Run[P]]], pinned: bool) -> None:
        """Says of runs whether a pin is about them."""
        for node in nodes:
            node.value.pinned = pinned
            self.recheck(node)

    def recheck(self, node: Node[Run[P]]) -> None:
        """Keeps a run that must be kept, and no other."""
        run = node.value
        checkpoint = run.kind is SegmentKind.EXECUTION_CHECKPOINT and bool(run.programs)
        self._keep(node, run.pinned or checkpoint)

    def _keep(self, node: Node[Run[P]], kept: bool) -> None:
        if node.value.kept == kept:
            return
        node.value.kept = kept
        self._lock(node, keeps=1 if kept else -1)
