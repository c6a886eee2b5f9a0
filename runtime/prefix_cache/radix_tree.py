"""A compressed radix tree over token ids: each node owns a run of tokens and one value for exactly these.

Texts that begin alike share the nodes of their common beginning. With ``block_tokens`` above 1 everything happens in
whole blocks, as in engines that cache blocks: a prefix matches up to the last block that is equal in full. Nothing is
recursive, so a path may be as deep as a text is long, and runs are compared in time linear in their length.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from agentic_dsl.errors import UsageError

TOKENS = "i"
"""Type code of the arrays that hold token ids: 32 bits each."""


class Splittable(Protocol):
    """A value for a run of tokens, which can become two values for its two parts."""

    def split(self, at: int) -> tuple[Self, Self]:
        """The value of the first ``at`` tokens, and that of the rest."""
        ...


V = TypeVar("V", bound=Splittable)


class Node(Generic[V]):
    """A run of tokens in the tree.

    When a run is split, this object stays the *lower* part and a new parent takes the upper one: whoever holds a node
    still reaches all tokens before it by walking up.

    Attributes:
        tokens: the run; whole blocks, never empty below the root. Not to be changed.
        start: how many tokens stand before it.
        parent: None for the root and for a node that was removed.
        children: the nodes that go on here, by their first block.
        value: what the owner of the tree keeps for these tokens.
    """

    __slots__ = ("__weakref__", "children", "parent", "start", "tokens", "value")

    def __init__(self, tokens: array[int], start: int, parent: Node[V] | None, value: V) -> None:
        self.tokens = tokens
        self.start = start
        self.parent = parent
        self.children: dict[int | bytes, Node[V]] = {}
        self.value = value

    @property
    def end(self) -> int:
        """How many tokens stand before what follows it."""
        return self.start + len(self.tokens)

    def prefix(self) -> array[int]:
        """All tokens from the root to the end of this run."""
        runs: list[array[int]] = []
        node: Node[V] | None = self
        while node is not None:
            runs.append(node.tokens)
            node = node.parent
        whole = array(TOKENS)
        for run in reversed(runs):
            whole.extend(run)
        return whole


@dataclass(frozen=True, slots=True)
class Match(Generic[V]):
    """How far a tree knows a text.

    Attributes:
        length: tokens that match, in whole blocks.
        path: the nodes that match in full, from the top.
        partial: the node of which only the first tokens match, or None; ``length`` counts these.
    """

    length: int
    path: tuple[Node[V], ...]
    partial: Node[V] | None = None


class RadixTree(Generic[V]):
    """See the module. Not safe for several threads; its owner locks."""

    def __init__(self, block_tokens: int = 1) -> None:
        if block_tokens < 1:
            raise UsageError(f"a block of {block_tokens} tokens is none", help="give block_tokens of 1 or more")
        self.block_tokens = block_tokens
        # The root has no tokens and no value; nobody is handed it, so its missing value is never read.
        self._root: Node[V] = Node(array(TOKENS), 0, None, None)  # type: ignore[arg-type]
        self.nodes = 0
        self.tokens = 0

    def aligned(self, tokens: Sequence[int]) -> array[int]:
        """The ids as an array, without an unfinished block at the end.

        Raises:
            UsageError: something in it is no token id.
        """
        found = token_array(tokens)
        extra = len(found) % self.block_tokens
        return found[:-extra] if extra else found

    def match(self, tokens: Sequence[int]) -> Match[V]:
        """The longest known beginning of ``tokens``. Changes nothing."""
        wanted = self.aligned(tokens)
        path: list[Node[V]] = []
        node, at = self._root, 0
        while at < len(wanted):
            child = node.children.get(self._key(wanted, at))
            if child is None:
                break
            shared = shared_length(child.tokens, wanted, at)
            if shared < len(child.tokens):
                return Match(at + shared - shared % self.block_tokens, tuple(path), child)
            path.append(child)
            node, at = child, at + shared
        return Match(at, tuple(path))

    def insert(
        self, tokens: Sequence[int], value_of: Callable[[int, int], V], *, borders: Iterable[int] = ()
    ) -> list[Node[V]]:
        """Adds what the tree does not know yet; the new nodes, from the top.

        Args:
            tokens: a whole text; an unfinished block at its end is left out.
            value_of: makes the value of the tokens from a start to an end. All are made before the tree changes, so it
                stays as it was where one raises.
            borders: offsets where new runs end, multiples of the block.
        """
        wanted = self.aligned(tokens)
        match = self.match(wanted)
        cuts = sorted({border for border in borders if match.length < border < len(wanted)} | {len(wanted)})
        values: list[tuple[int, int, V]] = []
        start = match.length
        for cut in cuts if start < len(wanted) else ():
            values.append((start, cut, value_of(start, cut)))
            start = cut
        parent = match.path[-1] if match.path else None
        if values and match.partial is not None:
            parent = self.split(match.partial, match.length - match.partial.start)
        added: list[Node[V]] = []
        for start, end, value in values:
            parent = self.attach(parent, wanted[start:end], value)
            added.append(parent)
        return added

    def attach(self, parent: Node[V] | None, run: array[int], value: V) -> Node[V]:
        """Adds a run below a node, or at the top; the caller knows that no child begins with the same block."""
        above = self._root if parent is None else parent
        key = self._key(run, 0)
        if not run or len(run) % self.block_tokens or key in above.children:
            raise ValueError("a new run must be whole blocks, of which the first is not there yet")
        node = above.children[key] = Node(run, above.end, above, value)
        self.nodes += 1
        self.tokens += len(run)
        return node

    def split(self, node: Node[V], at: int) -> Node[V]:
        """Makes two nodes of one; the new upper one is given back, ``node`` is the lower one from now on."""
        if not 0 < at < len(node.tokens) or at % self.block_tokens or node.parent is None:
            raise ValueError(f"a run of {len(node.tokens)} tokens cannot be split at {at}")
        first, rest = node.value.split(at)
        parent = node.parent
        upper = Node(node.tokens[:at], node.start, parent, first)
        parent.children[self._key(upper.tokens, 0)] = upper
        node.tokens, node.start, node.parent, node.value = node.tokens[at:], node.start + at, upper, rest
        upper.children[self._key(node.tokens, 0)] = node
        self.nodes += 1
        return upper

    def remove(self, node: Node[V]) -> None:
        """Takes a leaf out. Runs that now have one child stay apart: joining their values would be a copy."""
        if node.children or node.parent is None:
            raise ValueError("only a leaf that is in the tree can be removed")
        del node.parent.children[self._key(node.tokens, 0)]
        node.parent = None
        self.nodes -= 1
        self.tokens -= len(node.tokens)

    def is_top(self, node: Node[V]) -> bool:
        """Whether no tokens stand before it."""
        return node.parent is self._root

    def parent_of(self, node: Node[V]) -> Node[V] | None:
        """The node before it; None at the top."""
        return None if node.parent is self._root else node.parent

    def walk(self, top: Node[V] | None = None) -> Iterator[Node[V]]:
        """Every node at and below ``top``, or all: each before its children. The tree must not change meanwhile."""
        waiting = list(self._root.children.values()) if top is None else [top]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children.values())

    def _key(self, tokens: array[int], at: int) -> int | bytes:
        if self.block_tokens == 1:
            return tokens[at] if at < len(tokens) else b""
        return tokens[at : at + self.block_tokens].tobytes()


def token_array(tokens: Sequence[int]) -> array[int]:
    """The ids as an array of 32-bit numbers; such an array is given back itself."""
    if isinstance(tokens, array) and tokens.typecode == TOKENS:
        return tokens
    try:
        return array(TOKENS, tokens)
    except (TypeError, OverflowError) as error:
        raise UsageError(
            "a text has something in it that is no token id", help="give whole numbers below 2,147,483,648"
        ) from error


def shared_length(run: array[int], tokens: array[int], at: int) -> int:
    """How many tokens of ``run`` are those of ``tokens`` from ``at``.

    Arrays are compared in C. Where they differ, halves are looked at: n/2 + n/4 + … comparisons, so the time is linear.
    """
    low, high = 0, min(len(run), len(tokens) - at)
    if run[:high] == tokens[at : at + high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if run[low:middle] == tokens[at + low : at + middle]:
            low = middle
        else:
            high = middle
    return low
