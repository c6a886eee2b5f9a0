"""How many nodes several blocks can have together, against every way to put blocks together."""

from __future__ import annotations

import itertools

import pytest

from agentic_dsl.compiler.grammar.block_sizes import Span, can_reach

SORTS: list[tuple[Span, ...]] = [(), ((1, 1),), ((1, 4),), ((3, 4),), ((3, 3),), ((1, 1), (3, 4)), ((1, 1), (3, 5))]


def numbers(spans: tuple[Span, ...]) -> set[int]:
    return {number for low, high in spans for number in range(low, high + 1)}


@pytest.mark.parametrize("first", SORTS)
@pytest.mark.parametrize("further", SORTS)
def test_it_agrees_with_every_way_to_choose_the_blocks(first: tuple[Span, ...], further: tuple[Span, ...]) -> None:
    for blocks in range(4):
        sums = {
            one + sum(others)
            for count in range(blocks + 1)
            for one in numbers(first)
            for others in itertools.product(numbers(further), repeat=count)
        }
        for least in range(1, 16):
            for most in range(least, 16):
                expected = any(least <= number <= most for number in sums)
                assert can_reach(first, further, blocks, least, most) is expected, (blocks, least, most)
