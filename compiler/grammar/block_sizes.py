"""How many nodes an answer of several blocks can have, from how many each of them can have."""

from __future__ import annotations

from collections.abc import Iterator

Span = tuple[int, int]
"""The least and the most nodes of a block, with every number in between."""


def can_reach(first: tuple[Span, ...], further: tuple[Span, ...], blocks: int, least: int, most: int) -> bool:
    """Whether an answer can have ``least`` to ``most`` nodes.

    Args:
        first: the numbers of nodes that the first block can have.
        further: those that each block after it can have; one span at most begins above one.
        blocks: how many blocks may follow the first.
        least: the fewest nodes of the answer.
        most: the most nodes of the answer.
    """
    return any(
        low + added_low <= most and least <= high + added_high
        for low, high in first
        for added_low, added_high in _sums(further, blocks, most)
    )


def _sums(spans: tuple[Span, ...], blocks: int, most: int) -> Iterator[Span]:
    """The nodes that up to so many blocks can have together; larger sums than ``most`` may be left out."""
    yield 0, 0
    if not spans or not blocks:
        return
    small = max((high for low, high in spans if low == 1), default=0)
    if small:
        yield 1, blocks * small
    for low, high in spans:
        if low > 1:
            # So many blocks of the large sort; each of the others has one node up to ``small``, or is not there.
            for large in range(1, min(blocks, most // low) + 1):
                yield large * low, large * high + (blocks - large) * small
