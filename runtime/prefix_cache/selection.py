"""From a selector to the runs of a tree that it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agentic_dsl.runtime.prefix_cache.payload import P
from agentic_dsl.runtime.prefix_cache.radix_tree import Node
from agentic_dsl.runtime.prefix_cache.run import Run
from agentic_dsl.runtime.prefix_cache.selector import Selector
from agentic_dsl.runtime.prefix_cache.typed_tree import TypedTree


def select(cache: TypedTree[P], selector: Selector) -> list[Node[Run[P]]]:
    """The runs that are meant, in any order. Runs in memory of which a part is meant are split before."""
    for text in (selector.tokens, selector.below):
        if text is not None:
            _split_at_the_end(cache, text)
    nodes: Iterable[Node[Run[P]]] = cache.tree.walk()
    if selector.below is not None:
        nodes = _all_below(cache, cache.tree.aligned(selector.below))
    if selector.tokens is not None:
        within = cache.tree.match(selector.tokens).path
        nodes = within if selector.below is None else set(within).intersection(nodes)
    return [node for node in nodes if selector.means(node.value.kind, node.value.name)]


def with_all_below(cache: TypedTree[P], selector: Selector) -> list[Node[Run[P]]]:
    """The runs that are meant and everything that builds on them, each after what builds on it."""
    chosen: set[Node[Run[P]] | None] = set(select(cache, selector))
    order: list[Node[Run[P]]] = []
    for node in cache.tree.walk():
        if node in chosen or cache.tree.parent_of(node) in chosen:
            chosen.add(node)
            order.append(node)
    return order[::-1]


def _split_at_the_end(cache: TypedTree[P], text: Sequence[int]) -> None:
    """A run of which a text knows only a part becomes two, if it is in memory."""
    match = cache.tree.match(text)
    if match.partial is not None and match.partial.value.payload is not None:
        cache.cut(match.partial, match.length - match.partial.start)


def _all_below(cache: TypedTree[P], text: Sequence[int]) -> Iterator[Node[Run[P]]]:
    """The runs after a text that is known in full."""
    match = cache.tree.match(text)
    if match.length == len(text) and match.partial is None:
        last = match.path[-1] if match.path else None
        yield from (node for node in cache.tree.walk(last) if node is not last)
