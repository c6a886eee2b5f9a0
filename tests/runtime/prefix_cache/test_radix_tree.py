"""The radix tree knows what a set of all prefixes knows, whatever is inserted, split and removed."""

from __future__ import annotations

import gc
from array import array
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.radix_tree import Node, RadixTree, shared_length
from tests.strategies.profile import law


@dataclass(frozen=True)
class Text:
    """A value that is its tokens, so that a value at the wrong place is seen."""

    tokens: tuple[int, ...]

    def split(self, at: int) -> tuple[Text, Text]:
        return Text(self.tokens[:at]), Text(self.tokens[at:])


class RadixModel(RuleBasedStateMachine):
    """Beside the tree: the set of all prefixes, in whole blocks, that it must know."""

    block = 1
    texts = st.lists(st.integers(0, 2), max_size=14)

    @initialize()
    def make(self) -> None:
        self.tree: RadixTree[Text] = RadixTree(self.block)
        self.known: set[tuple[int, ...]] = set()

    def prefixes(self, text: list[int]) -> set[tuple[int, ...]]:
        return {tuple(text[:end]) for end in range(self.block, len(text) + 1, self.block)}

    def longest(self, text: list[int]) -> int:
        return max((len(prefix) for prefix in self.prefixes(text) & self.known), default=0)

    def nodes(self) -> list[Node[Text]]:
        return list(self.tree.walk())

    @rule(data=st.data())
    def insert(self, data: st.DataObject) -> None:
        text = data.draw(self.texts)
        borders = {b * self.block for b in data.draw(st.sets(st.integers(1, 13), max_size=3))}
        before = self.longest(text)
        added = self.tree.insert(text, lambda start, end: Text(tuple(text[start:end])), borders=borders)
        whole = len(text) // self.block * self.block
        assert [node.start for node in added] == sorted(
            {before, *(b for b in borders if before < b)} - set(range(whole, 999))
        )
        assert sum(len(node.tokens) for node in added) == whole - before
        self.known |= self.prefixes(text)

    @rule(data=st.data())
    def match(self, data: st.DataObject) -> None:
        text = data.draw(self.texts)
        match = self.tree.match(text)
        assert match.length == self.longest(text)
        found = [token for node in match.path for token in node.value.tokens]
        if match.partial is not None:
            at = match.length - match.partial.start
            assert 0 < at < len(match.partial.tokens)
            found += match.partial.value.tokens[:at]
        assert found == text[: match.length]

    @precondition(lambda self: any(len(node.tokens) > self.block for node in self.nodes()))
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from([node for node in self.nodes() if len(node.tokens) > self.block]))
        at = data.draw(st.integers(1, len(node.tokens) // self.block - 1)) * self.block
        whole, tokens = node.prefix(), node.tokens
        upper = self.tree.split(node, at)
        assert upper.tokens + node.tokens == tokens
        assert self.tree.parent_of(node) is upper
        assert node.prefix() == whole

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def remove_a_leaf(self, data: st.DataObject) -> None:
        leaf = data.draw(st.sampled_from([node for node in self.nodes() if not node.children]))
        text = leaf.prefix().tolist()
        self.tree.remove(leaf)
        self.known -= {prefix for prefix in self.prefixes(text) if len(prefix) > leaf.start}

    @invariant()
    def it_is_whole(self) -> None:
        nodes = self.nodes()
        assert self.tree.nodes == len(nodes)
        assert self.tree.tokens == sum(len(node.tokens) for node in nodes) == self.block * len(self.known)
        for node in nodes:
            assert node.tokens
            assert len(node.tokens) % self.block == 0
            assert node.value.tokens == tuple(node.tokens)
            parent = self.tree.parent_of(node)
            assert node.start == (0 if parent is None else parent.end)
            firsts = [tuple(child.tokens[: self.block]) for child in node.children.values()]
            assert len(firsts) == len(set(firsts))
            assert tuple(node.prefix()) in self.known


class BlockModel(RadixModel):
    """The same in blocks of 16."""

    block = 16
    texts = st.lists(st.sampled_from([[0] * 16, [0] * 15 + [1], [1] + [0] * 15]), max_size=6).flatmap(
        lambda blocks: st.lists(st.just(0), max_size=15).map(
            lambda tail: [*(token for block in blocks for token in block), *tail]
        )
    )


TestRadixModel = RadixModel.TestCase
TestRadixModel.settings = law(20)
TestBlockModel = BlockModel.TestCase
TestBlockModel.settings = law(20)


def counted(start: int, end: int) -> CountedPayload:
    return CountedPayload(end - start)


def test_equal_beginnings_share_a_node() -> None:
    tree: RadixTree[CountedPayload] = RadixTree()
    tree.insert([1, 2, 3, 4], counted)
    [added] = tree.insert([1, 2, 9], counted)
    assert [(list(node.tokens), node.start) for node in tree.walk()] == [([1, 2], 0), ([9], 2), ([3, 4], 2)]
    assert added.prefix() == array("i", [1, 2, 9])


def test_a_value_that_cannot_be_made_changes_nothing() -> None:
    tree: RadixTree[CountedPayload] = RadixTree()
    tree.insert([1, 2, 3, 4], counted)

    def fail(start: int, end: int) -> CountedPayload:
        if start >= 4:
            raise MemoryError
        return CountedPayload(end - start)

    with pytest.raises(MemoryError):
        tree.insert([1, 2, 7, 7, 7, 7], fail, borders=[4])
    assert [list(node.tokens) for node in tree.walk()] == [[1, 2, 3, 4]]


def test_an_unfinished_block_is_left_out() -> None:
    tree: RadixTree[CountedPayload] = RadixTree(4)
    tree.insert(range(11), counted)
    assert tree.tokens == 8
    assert tree.match(range(100)).length == 8
    assert tree.match([0, 1, 2, 3, 4, 5, 6, 99]).length == 4


@pytest.mark.parametrize("tokens", [["a"], [1.5], [2**31], [None]])
def test_what_is_no_token_id_is_refused(tokens: list[int]) -> None:
    with pytest.raises(UsageError, match="no token id"):
        RadixTree().match(tokens)


def test_a_block_has_a_token_or_more() -> None:
    with pytest.raises(UsageError, match="a block of 0 tokens"):
        RadixTree(0)


def test_misuse_of_nodes_is_refused() -> None:
    tree: RadixTree[CountedPayload] = RadixTree()
    first, second = tree.insert([1, 2, 3], counted, borders=[2])
    with pytest.raises(ValueError, match="only a leaf"):
        tree.remove(first)
    with pytest.raises(ValueError, match="cannot be split at 2"):
        tree.split(first, 2)
    with pytest.raises(ValueError, match="not there yet"):
        tree.attach(first, array("i", [3]), CountedPayload(1))
    tree.remove(second)
    with pytest.raises(ValueError, match="only a leaf"):
        tree.remove(second)


def test_a_path_of_100_000_nodes_needs_no_recursion() -> None:
    depth = 100_000
    tree: RadixTree[CountedPayload] = RadixTree()
    text = array("i", range(depth))
    tree.insert(text, counted, borders=range(1, depth))
    assert tree.nodes == depth
    match = tree.match(text)
    assert (match.length, len(match.path)) == (depth, depth)
    assert match.path[-1].prefix() == text
    for node in reversed(match.path[1:]):
        tree.remove(node)
    assert tree.nodes == 1
    del match, node
    tree.insert(text, counted, borders=range(1, depth))
    del tree
    gc.collect()  # freeing such a chain must not recurse either


@pytest.mark.parametrize("shared", [0, 1, 2, 3, 500, 511, 512, 513, 999, 1000])
def test_the_shared_length_is_found_wherever_runs_part(shared: int) -> None:
    run = array("i", range(1000))
    other = array("i", [-7, *range(shared), *([-1] * (1000 - shared))])
    assert shared_length(run, other, 1) == shared
    assert shared_length(run[: shared // 2], other, 1) == shared // 2
    assert shared_length(run, other[: 1 + shared // 2], 1) == shared // 2
