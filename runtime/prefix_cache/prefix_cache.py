"""A bounded cache of computed prefixes with typed segments: `PrefixCache`.

A request takes a lease on the longest beginning that is known, computes the rest, and inserts its prompt with spans
that say what each part is. The policy decides by these kinds what goes when memory is short; pins, programs and the
commands on segments decide what does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Generic

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.prefix_cache.history import REMEMBERED, SeenPrefixes
from agentic_dsl.runtime.prefix_cache.insertion import Inserted, Insertion
from agentic_dsl.runtime.prefix_cache.lease import Lease
from agentic_dsl.runtime.prefix_cache.payload import MEMORY, P, Shelf
from agentic_dsl.runtime.prefix_cache.policy import EvictionPolicy, TypedPolicy
from agentic_dsl.runtime.prefix_cache.radix_tree import Node
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.selection import select, with_all_below
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.spans import Span, lay_out
from agentic_dsl.runtime.prefix_cache.statistics import PrefixStatistics
from agentic_dsl.runtime.prefix_cache.typed_tree import TypedTree


class PrefixCache(Generic[P]):
    """See the module. Safe for several threads: one call at a time, reading and writing of tiers included.

    ``capacity_bytes`` bounds the payloads. What the tree itself takes comes on top: 4 bytes a token and about 1 KB a
    run, where the keys and values of one token of a small model take 20 KB.
    """

    def __init__(
        self,
        capacity_bytes: int,
        policy: EvictionPolicy | None = None,
        tiers: Mapping[str, Shelf[P]] | None = None,
        *,
        spill_to: str | None = None,
        block_tokens: int = 1,
        remembered_tokens: int = REMEMBERED,
    ) -> None:
        """An empty cache.

        Args:
            capacity_bytes: what all payloads in memory may take.
            policy: what goes first; `TypedPolicy` if None.
            tiers: slower places by name; the tier ``"memory"`` is the cache itself.
            spill_to: the tier that takes what memory has no room for; None drops it.
            block_tokens: matches, splits and spans are whole multiples of this; 1 is exact, vLLM uses 16.
            remembered_tokens: how far back the statistics know what is computed a second time.
        """
        if capacity_bytes < 0:
            raise UsageError(f"a capacity of {capacity_bytes} bytes is none", help="give 0 or more")
        self._lock = threading.RLock()
        self._cache: TypedTree[P] = TypedTree(
            capacity_bytes, policy or TypedPolicy(), tiers or {}, spill_to=spill_to, block_tokens=block_tokens
        )
        self._seen = SeenPrefixes(block_tokens, remembered_tokens)
        self._pins: list[Selector] = []
        self._programs: set[int] = set()
        self._program_ids = count(1)
        self._leases = 0

    # Requests

    def acquire(self, tokens: Sequence[int], *, program: int | None = None) -> Lease[P]:
        """Leases the longest beginning of ``tokens`` that is known; it comes into memory if it is on a tier.

        Args:
            tokens: a prompt.
            program: who asks, from `open_program`.
        """
        prompt = self._cache.tree.aligned(tokens)
        with self._lock:
            self._require(program)
            self._cache.clock += 1
            path = self._cache.take(prompt)
            kinds = set()
            for node in path:
                node.value.hits += 1
                self._cache.touch(node, program)
                kinds.add(node.value.kind)
                self._cache.ledger.add(node.value.kind, tokens_saved=node.value.length)
            self._cache.ledger.once(kinds, "hits")
            self._leases += 1
            payloads = tuple(node.value.payload for node in path if node.value.payload is not None)
            last = path[-1] if path else None
            return Lease(0 if last is None else last.end, payloads, lambda: self._release(last))

    def _release(self, last: Node[Run[P]] | None) -> None:
        with self._lock:
            self._leases -= 1
            self._cache.release(last)

    def peek(self, tokens: Sequence[int]) -> int:
        """How many tokens at the beginning are known, in memory or on a tier. Changes nothing, counts as no use."""
        prompt = self._cache.tree.aligned(tokens)
        with self._lock:
            return self._cache.tree.match(prompt).length

    def insert(
        self,
        tokens: Sequence[int],
        payload_of: Callable[[int, int], P],
        spans: Sequence[Span] = (),
        *,
        program: int | None = None,
    ) -> Inserted:
        """Keeps a prompt, as much of its beginning as there is room for. Tokens that are known take the new names.

        Args:
            tokens: the prompt; an unfinished block at its end is left out.
            payload_of: makes the payload of the tokens from a start to an end; called for what is not in memory. It
                must not call the cache.
            spans: what the tokens are for; those of no span are context.
            program: who asks, from `open_program`. Its checkpoints stay until it is closed.

        Raises:
            UsageError: spans that do not fit, a payload of another length, a program that is not open.
        """
        prompt = self._cache.tree.aligned(tokens)
        labels = lay_out(spans, len(tokens), self._cache.tree.block_tokens)
        with self._lock:
            self._require(program)
            self._cache.clock += 1
            done, new = Insertion(self._cache, prompt, payload_of, labels, self._pins, program).run()
            ledger, seen = self._cache.ledger, self._seen.add(prompt)
            for part in new:
                again = max(0, min(seen, part.end) - part.start)
                ledger.add(part.kind, tokens_computed=part.end - part.start, tokens_recomputed=again)
            ledger.once({part.kind for part in new}, "misses")
            ledger.once({label.kind for label in labels if label.end > done.length}, "refused")
            return done

    # Programs

    def open_program(self) -> int:
        """Begins a program: the checkpoints that it inserts stay until it is closed."""
        with self._lock:
            program = next(self._program_ids)
            self._programs.add(program)
            self._cache.open_program(program)
            return program

    def close_program(self, program: int) -> None:
        """Ends a program. What only it used is the first of its kind to go."""
        with self._lock:
            self._require(program)
            self._programs.remove(program)
            self._cache.close_program(program)

    def _require(self, program: int | None) -> None:
        if program is not None and program not in self._programs:
            raise UsageError(f"the program {program} is not open", help="use the number that open_program gave")

    # Segments

    def pin(self, selector: Selector) -> int:
        """Keeps these segments, and all that will be inserted, until `unpin`; how many tokens that is now.

        Inserts for which pinned segments leave no room are refused.
        """
        selector = selector.aligned(self._cache.tree.block_tokens)
        with self._lock:
            if selector not in self._pins:
                self._pins.append(selector)
            chosen = select(self._cache, selector)
            self._cache.pin(chosen, True)
            return sum(len(node.tokens) for node in chosen)

    def unpin(self, selector: Selector) -> int:
        """Takes back a pin; how many tokens are pinned no longer. What another pin is about stays."""
        selector = selector.aligned(self._cache.tree.block_tokens)
        with self._lock:
            if selector in self._pins:
                self._pins.remove(selector)
            for pin in self._pins:
                select(self._cache, pin)  # splits what it means a part of, so that below each run is pinned or not
            still = {node for pin in self._pins for node in select(self._cache, pin)}
            loose = [node for node in self._cache.tree.walk() if node.value.pinned and node not in still]
            self._cache.pin(loose, False)
            return sum(len(node.tokens) for node in loose)

    def evict(self, selector: Selector) -> int:
        """Drops these segments from everywhere, with what goes on after them; how many tokens went.

        What is leased, pinned or a checkpoint of an open program stays, and so does what stands before it.
        """
        with self._lock:
            return sum(self._drop(node) for node in with_all_below(self._cache, selector) if not node.value.locked)

    def _drop(self, node: Node[Run[P]]) -> int:
        self._cache.ledger.add(node.value.kind, evictions=1)
        self._cache.drop(node)
        return len(node.tokens)

    def move(self, selector: Selector, tier: str) -> int:
        """Brings these segments to a tier, or to ``"memory"``; how many tokens are there now that were not.

        What goes to another tier leaves memory with all that goes on after it, unless it is leased. What comes to
        memory comes with all that stands before it, as far as there is room.
        """
        with self._lock:
            if tier == MEMORY:
                return sum(self._bring(node) for node in select(self._cache, selector))
            self._cache.shelves.require(tier)
            return sum(self._send(node, tier) for node in with_all_below(self._cache, selector))

    def prefetch(self, wanted: Selector | Sequence[int]) -> int:
        """Brings segments, or the known beginning of a prompt, into memory; how many tokens were brought."""
        if not isinstance(wanted, Selector):
            wanted = Selector(tokens=tuple(wanted))
        return self.move(wanted, MEMORY)

    def _bring(self, node: Node[Run[P]]) -> int:
        """Loads a run and what before it is not in memory; how many tokens that was."""
        path: list[Node[Run[P]]] = []
        above: Node[Run[P]] | None = node
        while above is not None and above.value.payload is None:
            path.append(above)
            above = self._cache.tree.parent_of(above)
        brought = 0
        while path and self._cache.bring(path[-1]):
            brought += len(path.pop().tokens)
        return brought

    def _send(self, node: Node[Run[P]], tier: str) -> int:
        """Copies a run to a tier and takes it out of memory, if nothing in memory needs it."""
        run = node.value
        if run.payload is None or run.leases or run.resident_children or not self._cache.store(node, tier):
            return 0
        self._cache.leave(node)
        return len(node.tokens)

    # The whole

    def statistics(self) -> PrefixStatistics:
        """What it did and holds."""
        with self._lock:
            return self._cache.ledger.statistics(leases=self._leases, programs=len(self._programs))

    def clear(self) -> int:
        """Drops everything but what is leased; how many tokens went. Pins and open programs go on for what comes."""
        with self._lock:
            nodes = [node for node in self._cache.tree.walk() if not node.value.leases]
            for node in reversed(nodes):
                self._cache.drop(node)
            return sum(len(node.tokens) for node in nodes)
