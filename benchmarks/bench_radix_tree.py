"""The radix tree against dictionaries of prefixes: ``python -m benchmarks.bench_radix_tree``.

The prompts are those of the mixed load (`prefix_workload`), in its order: each is looked up, then inserted, as a cache
does it. Beside the tree: a dictionary of all prefixes in whole blocks, searched by halving, and chained hashes of
blocks, as engines keep them. All must find the same lengths.
"""

from __future__ import annotations

import sys
import tracemalloc
from array import array
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.radix_tree import RadixTree
from benchmarks.measure import Timing, heading, markdown_table
from benchmarks.prefix_workload import Parameters, Request, Workload

BLOCK = 16
PROGRAMS = 60
ROUNDS = 5


class Index(Protocol):
    """What is compared."""

    def match(self, tokens: array[int]) -> int:
        """How many tokens at the beginning are known."""
        ...

    def insert(self, tokens: array[int]) -> None:
        """Makes all of them known."""
        ...


class Tree:
    """Ours."""

    def __init__(self, block_tokens: int) -> None:
        self._tree: RadixTree[CountedPayload] = RadixTree(block_tokens)

    def match(self, tokens: array[int]) -> int:
        """See `Index`."""
        return self._tree.match(tokens).length

    def insert(self, tokens: array[int]) -> None:
        """See `Index`."""
        self._tree.insert(tokens, lambda start, end: CountedPayload(end - start))


class PrefixDictionary:
    """Every prefix in whole blocks is a key: quadratic in the length of a prompt, in time and memory."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def match(self, tokens: array[int]) -> int:
        """See `Index`. What is known is closed under prefixes, so halving finds the longest."""
        low, high, text = 0, len(tokens) // BLOCK, tokens.tobytes()
        width = BLOCK * tokens.itemsize
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if text[: middle * width] in self._known else (low, middle - 1)
        return low * BLOCK

    def insert(self, tokens: array[int]) -> None:
        """See `Index`."""
        text, width = tokens.tobytes(), BLOCK * tokens.itemsize
        for block in range(self.match(tokens) // BLOCK + 1, len(tokens) // BLOCK + 1):
            self._known[text[: block * width]] = block


class BlockHashes:
    """A block's key is the hash of its tokens and of the key before it."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def match(self, tokens: array[int]) -> int:
        """See `Index`."""
        length = 0
        for key in self._keys(tokens):
            if key not in self._known:
                break
            length += BLOCK
        return length

    def insert(self, tokens: array[int]) -> None:
        """See `Index`."""
        self._known.update(self._keys(tokens))

    def _keys(self, tokens: array[int]) -> list[int]:
        keys, key, text, width = [], 0, tokens.tobytes(), BLOCK * tokens.itemsize
        for start in range(0, len(text) - len(text) % width, width):
            key = hash((key, text[start : start + width]))
            keys.append(key)
        return keys


CONTENDERS: tuple[tuple[str, Callable[[], Index]], ...] = (
    ("radix tree, exact", lambda: Tree(1)),
    (f"radix tree, blocks of {BLOCK}", lambda: Tree(BLOCK)),
    (f"chained hashes of {BLOCK}", BlockHashes),
    (f"dictionary of prefixes, blocks of {BLOCK}", PrefixDictionary),
)


def main() -> int:
    """Prints the table; 1 where contenders disagree."""
    prompts = [
        event.tokens for event in Workload(Parameters(programs=PROGRAMS), 0).events() if isinstance(event, Request)
    ]
    tokens = sum(map(len, prompts))
    print(heading("Radix tree"), f"{len(prompts)} prompts, {tokens:,} tokens", sep=" · ", end="\n\n")
    found = {name: [length // BLOCK for length in run(make(), prompts)[1]] for name, make in CONTENDERS}
    rows = []
    for name, make in CONTENDERS:
        timing = Timing(tuple(run(make(), prompts)[0] for _ in range(ROUNDS)))
        rate = f"{2 * len(prompts) / timing.median:,.0f}"
        rows.append((name, rate, timing.text(1e6 / 2 / len(prompts), "µs"), f"{memory(make, prompts) / 1e6:.1f} MB"))
    print(markdown_table(("index", "operations/s", "an operation", "memory"), rows))
    return int(any(lengths != found[CONTENDERS[0][0]] for lengths in found.values()))


def run(index: Index, prompts: Sequence[array[int]]) -> tuple[float, list[int]]:
    """Seconds for a look-up and an insert of each prompt, and what the look-ups found."""
    lengths = []
    start = perf_counter()
    for prompt in prompts:
        lengths.append(index.match(prompt))
        index.insert(prompt)
    return perf_counter() - start, lengths


def memory(make: Callable[[], Index], prompts: Sequence[array[int]]) -> int:
    """Bytes that an index of all prompts holds."""
    tracemalloc.start()
    index = make()
    run(index, prompts)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


if __name__ == "__main__":
    sys.exit(main())
