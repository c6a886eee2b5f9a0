"""The rules of ``language.md`` §5 against the execution that they speak about."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_graphs import END, SmallGraph, SmallNode, all_graphs, runs

from agentic_dsl import codes
from agentic_dsl.compiler.availability import compute_availability
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.edges import EdgeKind
from agentic_dsl.compiler.graph import build_graph
from agentic_dsl.compiler.guards import compute_guards
from agentic_dsl.compiler.versions import find_clashes

NOT_ABOUT_RUNS = {codes.UNREACHABLE.code, codes.JOIN_JUMP_EDGE.code}
"""Rules that forbid graphs which could run: what execution says of them is no test of the others."""


def assert_rules_tell_the_truth(graph: SmallGraph) -> bool:
    """Holds guards and availability of one graph to all of its runs; returns whether the graph was a test at all."""
    built = build_graph(graph.document())
    joins = [number for number, node in enumerate(graph.nodes) if node.kind == "join"]
    jumps = any(edge.kind is EdgeKind.JUMP for number in joins for edge in built.incoming[number])
    if len(built.reachable) < len(graph.nodes) or jumps:
        return False
    happened = list(runs(graph))
    guards = compute_guards(built)
    rejected = [n for n in joins if len({guards.of_edge(edge) for edge in built.incoming[n]}) > 1]
    stuck = set().union(*(run.stuck for run in happened))
    # Behind the first join that gets stuck nothing is as it should be, and the rules say nothing.
    assert min(rejected, default=None) == min(stuck, default=None), graph
    if rejected:
        return True
    availability = compute_availability(built)
    for number in range(len(graph.nodes)):
        seen = [run.seen[number] for run in happened if number in run.seen]
        assert seen, f"{number} never runs in {graph}"
        surely = frozenset.intersection(*map(frozenset, seen))
        assert frozenset(availability.names.of(availability.at[number])) == surely, (number, graph)
    return True


def assert_check_tells_the_truth(graph: SmallGraph) -> None:
    """Holds the findings of `check` to all runs."""
    errors = {finding.code for finding in check(graph.document()) if finding.is_error}
    if errors & NOT_ABOUT_RUNS:
        return
    happened = list(runs(graph))
    gets_stuck = any(run.stuck for run in happened)
    assert (codes.JOIN_GUARDS.code in errors) == gets_stuck, graph
    if not gets_stuck:
        lacks = any(run.lacking for run in happened)
        assert (codes.OUTPUT_NOT_WRITTEN.code in errors) == lacks, graph


def assert_no_clash_is_overlooked(graph: SmallGraph) -> None:
    """Every name of which a run brings different values to a join is one that the versions tell apart."""
    built = build_graph(graph.document())
    if any(finding.is_error for finding in check(graph.document()) if finding.kind is not codes.MERGE_CONFLICT):
        return
    availability = compute_availability(built)
    found = find_clashes(built, availability)
    assert found.unjudged is None
    clashes = set().union(*(run.clashes for run in runs(graph)))
    told = {(number, clash.name) for number, clashes in found.at.items() for clash in clashes}
    sure: set[tuple[int, str]] = set()
    for number, node in enumerate(graph.nodes):
        edges = built.incoming[number] if node.kind == "join" else ()
        for one, other in combinations(edges, 2):
            shared = availability.delivered(one) & availability.delivered(other)
            sure |= {(number, name) for name in availability.names.of(shared)}
    assert clashes & sure <= told, graph


def held(graphs: Iterable[SmallGraph]) -> int:
    return sum(assert_rules_tell_the_truth(graph) for graph in graphs)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_guards_and_availability_are_exact_for_every_small_graph(size: int) -> None:
    assert held(all_graphs(size)) > 0


def test_guards_and_availability_are_exact_for_a_twentieth_of_the_graphs_of_four_nodes() -> None:
    assert held(graph for number, graph in enumerate(all_graphs(4)) if number % 20 == 7) > 300


@pytest.mark.slow
def test_guards_and_availability_are_exact_for_every_graph_of_four_nodes() -> None:
    assert held(all_graphs(4)) > 20_000


@pytest.mark.parametrize("required", ["k0", "k1", "k2"])
def test_check_finds_a_stuck_join_or_a_missing_output_exactly_where_a_run_has_one(required: str) -> None:
    for graph in all_graphs(3):
        assert_check_tells_the_truth(SmallGraph(graph.nodes, (required,)))


@st.composite
def graphs(draw: st.DrawFn) -> SmallGraph:
    """Graphs of four to eight nodes: two handlers on some, names that several nodes write, required outputs."""
    size = draw(st.integers(4, 8))
    nodes: list[SmallNode] = []
    for number in range(size):
        later = list(range(number + 1, size))
        if not later:
            nodes.append(SmallNode("end"))
            continue
        # Mostly the next few nodes, so that most graphs hang together.
        near = st.sampled_from(later[:3])
        targets = draw(st.lists(near, min_size=1, max_size=3, unique=True).map(sorted).map(tuple) | st.just((END,)))
        handlers = draw(st.lists(near | st.just(END), max_size=2).map(tuple))
        is_join = number > 1 and draw(st.booleans())
        writes = () if is_join else draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple))
        kind = "join" if is_join else "plain"
        nodes.append(SmallNode(kind, targets, handlers[:1] if is_join else handlers, writes))
    return SmallGraph(tuple(nodes), draw(st.lists(st.sampled_from("abc"), max_size=1).map(tuple)))


@given(graphs())
@settings(max_examples=400, deadline=None)
def test_guards_and_availability_are_exact_for_larger_graphs(graph: SmallGraph) -> None:
    assert_rules_tell_the_truth(graph)


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_check_tells_the_truth_about_larger_graphs(graph: SmallGraph) -> None:
    assert_check_tells_the_truth(graph)


@given(graphs())
@settings(max_examples=400, deadline=None)
def test_versions_tell_apart_what_a_run_brings_to_a_join(graph: SmallGraph) -> None:
    assert_no_clash_is_overlooked(graph)
