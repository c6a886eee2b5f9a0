from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.guards import EMPTY, OK, Either, GuardTrie, Outcome


def trie() -> GuardTrie:
    """Node p succeeds or goes on at 7; q at 8 or 9."""
    return GuardTrie({1: frozenset({OK, 7}), 2: frozenset({OK, 8, 9})})


def test_equal_guards_are_one_number() -> None:
    guards = trie()
    assert guards.extend(EMPTY, Outcome(1, OK)) == guards.extend(EMPTY, Outcome(1, OK))
    assert guards.merge([5 * 0, EMPTY]) == EMPTY


def test_a_shorter_prefix_drops_what_it_covers() -> None:
    guards = trie()
    ok = guards.extend(EMPTY, Outcome(1, OK))
    assert guards.merge([ok, guards.extend(ok, Outcome(2, OK))]) == ok
    assert guards.merge([EMPTY, ok]) == EMPTY


def test_all_ways_on_from_a_node_are_no_condition() -> None:
    guards = trie()
    ok, failed = guards.extend(EMPTY, Outcome(1, OK)), guards.extend(EMPTY, Outcome(1, 7))
    assert guards.merge([ok, failed]) == EMPTY
    ways = [guards.extend(ok, Outcome(2, way)) for way in (OK, 8, 9)]
    assert guards.merge(ways) == ok
    assert guards.merge([*ways, failed]) == EMPTY
    assert guards.merge(ways[:2]) not in (ok, EMPTY)


def test_what_cannot_be_merged_is_opaque_below_the_common_prefix() -> None:
    guards = trie()
    ok = guards.extend(EMPTY, Outcome(1, OK))
    one, other = guards.extend(ok, Outcome(2, OK)), guards.extend(ok, Outcome(2, 8))
    merged = guards.merge([one, other])
    assert guards.sequence(merged) == (Outcome(1, OK), Either(frozenset({one, other})))
    assert guards.merge([other, one]) == merged
    assert guards.common(one, merged) == ok


@given(st.lists(st.lists(st.sampled_from([(p, way) for p in range(3) for way in (OK, 5)]), max_size=4), min_size=1))
def test_merging_means_that_one_of_the_guards_holds(paths: list[list[tuple[int, int]]]) -> None:
    guards = GuardTrie({p: frozenset({OK, 5}) for p in range(3)})
    given_guards = []
    for path in paths:
        guard = EMPTY
        for p, way in path:
            guard = guards.extend(guard, Outcome(p, way))
        given_guards.append(guard)
    merged = guards.merge(given_guards)

    def holds(guard: int, outcome: tuple[int, ...]) -> bool:
        return all(
            any(holds(one, outcome) for one in atom.guards)
            if isinstance(atom, Either)
            else isinstance(atom, Outcome) and outcome[atom.node] == atom.way
            for atom in guards.sequence(guard)
        )

    for outcome in product((OK, 5), repeat=3):
        assert holds(merged, outcome) == any(holds(guard, outcome) for guard in given_guards)
