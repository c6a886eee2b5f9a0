"""Layouts of large graphs: nothing overlaps, lines lead where they should, and the same again every time."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from itertools import combinations, pairwise

import pytest
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from test_graph_formats import document_of

from agentic_dsl.cli.drawing import layered
from agentic_dsl.cli.drawing.layered import Plan, arrange

Sizes = dict[str, tuple[int, int]]


def random_graph(seed: int, size: int, *, circles: bool = False) -> tuple[Sizes, list[tuple[str, str]]]:
    chance = random.Random(seed)
    sizes = {f"n{i}": (chance.randrange(40, 240), chance.randrange(30, 90)) for i in range(size)}
    ways = dict.fromkeys(
        (f"n{source}", f"n{target}")
        for target in range(1, size)
        for source in chance.sample(range(target), min(target, chance.choice([1, 1, 1, 2, 4])))
    )
    if circles:
        ways |= dict.fromkeys((f"n{chance.randrange(size)}", f"n{chance.randrange(size)}") for _ in range(4))
    return sizes, list(ways)


def overlaps(plan: Plan) -> list[tuple[str, str]]:
    return [
        (one, two)
        for (one, a), (two, b) in combinations(plan.boxes.items(), 2)
        if a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans())
def test_no_two_boxes_overlap_and_all_are_inside(seed: int, size: int, circles: bool) -> None:
    sizes, ways = random_graph(seed, size, circles=circles)
    plan = arrange(sizes, ways)
    assert list(plan.boxes) == list(sizes)
    assert overlaps(plan) == []
    for box in plan.boxes.values():
        assert box.x >= -0.1
        assert box.y >= 0
        assert box.x + box.width <= plan.width + 0.1
        assert box.y + box.height <= plan.height + 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_lines_run_down_from_their_source_to_their_target(seed: int, size: int) -> None:
    sizes, ways = random_graph(seed, size)
    plan = arrange(sizes, ways)
    for (source, target), points in zip(ways, plan.lines, strict=True):
        one, two = plan.boxes[source], plan.boxes[target]
        assert points[0] == (one.x + one.width / 2, one.y + one.height)
        assert points[-1] == (two.x + two.width / 2, two.y)
        assert all(above[1] <= below[1] for above, below in pairwise(points))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 50))
def test_a_line_passes_beside_the_boxes_of_the_layers_between(seed: int, size: int) -> None:
    sizes, ways = random_graph(seed, size)
    plan = arrange(sizes, ways)
    for points in plan.lines:
        for (x, top), (_, bottom) in zip(points[1:-1:2], points[2:-1:2], strict=True):
            for box in plan.boxes.values():
                beside = x <= box.x or box.x + box.width <= x
                assert beside or bottom <= box.y or box.y + box.height <= top


def test_a_way_back_is_drawn_upwards() -> None:
    plan = arrange({"a": (50, 30), "b": (50, 30)}, [("a", "b"), ("b", "a"), ("a", "a")])
    _, back, loop = plan.lines
    assert back[0][1] > back[-1][1]
    assert len(loop) == 3


def test_a_wide_fork_is_folded_into_rows() -> None:
    sizes = {f"n{i}": (150, 50) for i in range(102)}
    plan = arrange(sizes, [("n0", f"n{i}") for i in range(1, 101)] + [(f"n{i}", "n101") for i in range(1, 101)])
    assert plan.width < 3_000
    assert overlaps(plan) == []


def test_a_graph_too_large_for_a_picture_is_refused(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setattr(layered, "MAX_SLOTS", 10)
    nodes = [f"{{id: n{i}, type: assign, assign: {{k: x}}, next: n{i + 1}}}" for i in range(20)]
    result = cli("graph", "-", "--as", "svg", stdin=document_of(*nodes, "{id: n20, type: end}"))
    assert result.code == 2
    assert "too large for a picture" in result.err


def stages(count: int) -> str:
    """A document of forks and joins, one after the other: five nodes a stage."""
    nodes = []
    for i in range(count):
        after = f"f{i + 1}" if i < count - 1 else "last"
        nodes += [f"{{id: f{i}, type: fork, fork: {{branches: [a{i}, b{i}, c{i}]}}}}"]
        nodes += [
            f"{{id: {name}{i}, type: tool_call, tool: t, output_keys: [{name}k{i}], "
            f'on_error: /__system__/end_soft, next: ["/lib/tool/list_available@v1", j{i}]}}'
            for name in "abc"
        ]
        nodes += [f"{{id: j{i}, type: join, join: {{wait_for: [a{i}, b{i}, c{i}]}}, next: {after}}}"]
    return document_of(*nodes, "{id: last, type: end}")


@pytest.mark.parametrize("drawing", ["mermaid", "dot", "svg", "html"])
def test_two_hundred_nodes_are_drawn_in_well_under_two_seconds(cli: Cli, drawing: str) -> None:
    text = stages(40)
    assert text.count("id:") == 201
    begin = time.process_time()
    result = cli("graph", "-", "--as", drawing, stdin=text)
    assert time.process_time() - begin < 1.5
    assert result.code == 0


def test_drawings_do_not_depend_on_the_order_of_hashes(tmp_path: object) -> None:
    text = stages(12)
    digests = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-m", "agentic_dsl.cli", "graph", "-", "--as", "html"],
            input=text.encode(),
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        digests.add(hashlib.sha256(run.stdout).hexdigest())
    assert len(digests) == 1
