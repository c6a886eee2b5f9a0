"""Drawings: everything is there, within the width, and no line is ambiguous."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.cli.drawing.draw import draw_boxes
from agentic_dsl.cli.drawing.lanes import draw_lanes
from agentic_dsl.cli.drawing.layout import GAP, lay_out
from agentic_dsl.cli.drawing.picture import Box, Line, Picture, fit
from agentic_dsl.cli.drawing.routes import route
from agentic_dsl.cli.findings import cells


def picture(edges: str) -> Picture:
    """``"a>b b!>c"``: a line from a to b, a dashed one from b to c."""
    keys: dict[str, None] = {}
    lines = []
    for edge in edges.split():
        source, target = edge.replace("!", "").split(">")
        keys |= {source: None, target: None}
        lines.append(Line(source, target, "!" in edge))
    return Picture(tuple(Box(key, key) for key in keys), tuple(lines))


def random_picture(seed: int, size: int) -> Picture:
    chance = random.Random(seed)
    boxes = tuple(Box(f"n{i}", f"node_{i}", (f"tool_call tool_{i}", "→ key")) for i in range(size))
    lines = {}
    for target in range(1, size):
        for source in chance.sample(range(target), min(target, chance.choice([1, 1, 1, 2, 3]))):
            lines[Line(f"n{source}", f"n{target}", chance.random() < 0.1)] = None
    return Picture(boxes, tuple(lines))


def test_a_chain_is_a_column_of_boxes() -> None:
    assert draw_boxes(picture("a>b"), width=80, unicode=True) == [
        "┌───────┐",
        "│ a     │",
        "└───┬───┘",
        "    ▼",
        "┌───────┐",
        "│ b     │",
        "└───────┘",
    ]


def test_a_diamond_branches_and_joins() -> None:
    rows = draw_boxes(picture("a>b a>c b>d c>d"), width=80, unicode=True)
    assert rows is not None
    assert "\n".join(rows) == DIAMOND


DIAMOND = """\
      ┌───────┐
      │ a     │
      └───┬───┘
    ╭─────┴─────╮
    ▼           ▼
┌───────┐   ┌───────┐
│ b     │   │ c     │
└───┬───┘   └───┬───┘
    ╰────╮ ╭────╯
         ▼ ▼
      ┌───────┐
      │ d     │
      └───────┘"""


def test_a_failure_is_dashed() -> None:
    rows = draw_boxes(picture("a>b a!>c"), width=80, unicode=True)
    assert rows is not None
    assert "╌" in "".join(rows)


def test_lanes_show_the_same_graph_in_little_room() -> None:
    assert draw_lanes(picture("a>b a>c b>d c>d"), width=80, unicode=True) == [
        "●    a",
        "├─╮",
        "● │  b",
        "│ │",
        "│ ●  c",
        "├─╯",
        "●    d",
    ]


def test_a_picture_too_wide_for_boxes_gives_none() -> None:
    assert draw_boxes(picture(" ".join(f"a>b{i}" for i in range(20))), width=80, unicode=True) is None


@pytest.mark.parametrize("unicode", [True, False])
def test_ascii_drawings_hold_ascii_only(unicode: bool) -> None:
    shown = picture("a>b a>c b>d c!>d a>d")
    for rows in (draw_boxes(shown, width=80, unicode=unicode), draw_lanes(shown, width=80, unicode=unicode)):
        assert rows is not None
        assert "".join(rows).isascii() is not unicode


def test_circles_are_drawn_without_the_line_that_closes_them() -> None:
    shown = picture("a>b b>c c>a")
    assert shown.forward() == (("a", "b", "c"), (Line("a", "b"), Line("b", "c")))
    rows = draw_lanes(shown, width=80, unicode=True)
    assert [row[-1] for row in rows if "●" in row] == ["a", "b", "c"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_every_box_is_drawn_within_the_width(seed: int, size: int) -> None:
    shown = random_picture(seed, size)
    for rows in (draw_boxes(shown, width=80, unicode=True), draw_lanes(shown, width=80, unicode=True)):
        if rows is None:
            continue
        assert all(cells(row) <= 80 for row in rows)
        for box in shown.boxes:
            assert any(box.title in row for row in rows)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20))
def test_boxes_of_a_layer_never_touch(seed: int, size: int) -> None:
    shown = random_picture(seed, size)
    layout = lay_out(shown, {box.key: 16 for box in shown.boxes})
    for layer in layout.layers:
        for one, two in pairwise(layer):
            assert layout.left[two] - (layout.left[one] + layout.width[one]) >= GAP - 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20))
def test_every_line_arrives_and_no_two_share_a_column(seed: int, size: int) -> None:
    shown = random_picture(seed, size)
    entries = {box.key: sum(line.target == box.key for line in shown.lines) for box in shown.boxes}
    layout = lay_out(shown, {key: max(16, 2 * count + 7) for key, count in entries.items()})
    for segments in layout.segments:
        nets = route(layout, segments)
        columns = [column for net in nets for column, _ in net.entries]
        assert len(columns) == len(segments)
        assert len(set(columns)) == len(columns)
        used: dict[int, list[tuple[int, int]]] = {}
        for net in nets:
            if net.track is not None:
                low, high = net.extent
                assert all(high < other_low or other_high < low for other_low, other_high in used.get(net.track, ()))
                used.setdefault(net.track, []).append((low, high))


def test_texts_are_cut_by_cells() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("abcd", 4) == "abcd"
