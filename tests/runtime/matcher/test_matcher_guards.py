"""Guards as values are those of the checker's trie."""

from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.guards import EMPTY, OK, GuardTrie, Outcome
from agentic_dsl.runtime.matcher.guards import merge

OUTCOMES = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=3)


def _in_order(outcomes):
    """Each node once, in order, as on a path through a graph."""
    return tuple(sorted(dict(outcomes).items()))


GUARDS = st.lists(OUTCOMES.map(_in_order), min_size=1, max_size=5)


def _number(trie, guard):
    number = EMPTY
    for node, succeeded in guard:
        number = trie.extend(number, Outcome(node, OK if succeeded else 9))
    return number


@given(GUARDS, GUARDS)
def test_two_merges_are_equal_exactly_when_the_checker_says_so(one, other):
    trie = GuardTrie({node: frozenset({OK, 9}) for node in range(3)})
    numbers = [trie.merge([_number(trie, guard) for guard in guards]) for guards in (one, other)]
    assert (merge(one) == merge(other)) == (numbers[0] == numbers[1])


@given(GUARDS)
def test_a_merge_without_an_opaque_atom_is_the_checkers(guards):
    trie = GuardTrie({node: frozenset({OK, 9}) for node in range(3)})
    merged = merge(guards)
    if not any(isinstance(atom, frozenset) for atom in merged):
        assert trie.merge([_number(trie, guard) for guard in guards]) == _number(trie, merged)
