"""A diagram laid out: every box, frame and line with its place, in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from agentic_dsl.cli.drawing import labels
from agentic_dsl.cli.drawing.layered import Plan, Point, Rect, arrange
from agentic_dsl.cli.findings import cells
from agentic_dsl.compiler.diagram import Diagram

CHARACTER, LINE = 7.3, 17
"""Width of a character and height of a line. The font has a fixed pitch, so that counting measures."""

PADDING = 12
"""Free space around the texts of a box."""

_MARGIN = 24
_HEADING = 44
_SHAPE = 1.6
"""How much wider than high a picture of several blocks should be."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is painted.

    Attributes:
        boxes: item key → its box.
        texts: item key → its lines, the first is the title.
        headings: for each block of the diagram its lines.
        frames: for each block what stands around it.
        lines: for each way the points that it runs along.
    """

    width: int
    height: int
    boxes: Mapping[str, Rect]
    texts: Mapping[str, tuple[str, ...]]
    headings: tuple[tuple[str, ...], ...]
    frames: tuple[Rect, ...]
    lines: tuple[tuple[Point, ...], ...]


def lay_out(diagram: Diagram) -> Scene:
    """Places everything: each block by itself, the blocks in rows, lines between blocks last.

    Raises:
        UsageError: the diagram is too large for a picture.
    """
    texts = {item.key: (labels.title(item), *labels.lines(item)) for item in diagram.items}
    headings = tuple(labels.block_lines(block) for block in diagram.blocks)
    plans, inner = _arrange_blocks(diagram, texts)
    frames = _pack([_frame_size(plan, heading) for plan, heading in zip(plans, headings, strict=True)])
    boxes: dict[str, Rect] = {}
    lines: dict[int, tuple[Point, ...]] = {}
    for frame, plan, numbers in zip(frames, plans, inner, strict=True):
        x, y = frame.x + _MARGIN, frame.y + _HEADING
        boxes |= {key: box.moved(x, y) for key, box in plan.boxes.items()}
        for number, points in zip(numbers, plan.lines, strict=True):
            lines[number] = tuple((px + x, py + y) for px, py in points)
    for number, way in enumerate(diagram.ways):
        if number not in lines:
            lines[number] = _across(boxes[way.source], boxes[way.target])
    return Scene(
        ceil(max((frame.x + frame.width for frame in frames), default=0) + _MARGIN),
        ceil(max((frame.y + frame.height for frame in frames), default=0) + _MARGIN),
        boxes,
        texts,
        headings,
        frames,
        tuple(lines[number] for number in range(len(diagram.ways))),
    )


def _arrange_blocks(diagram: Diagram, texts: Mapping[str, Sequence[str]]) -> tuple[list[Plan], list[list[int]]]:
    """For each block its plan, and the numbers of the ways whose lines are in it, in its order."""
    block_of = {item.key: item.block for item in diagram.items}
    sizes: list[dict[str, tuple[int, int]]] = [{} for _ in diagram.blocks]
    for item in diagram.items:
        sizes[item.block][item.key] = _size(texts[item.key])
    inner: list[list[int]] = [[] for _ in diagram.blocks]
    for number, way in enumerate(diagram.ways):
        if block_of[way.source] == block_of[way.target]:
            inner[block_of[way.source]].append(number)
    plans = [
        arrange(size, [(diagram.ways[number].source, diagram.ways[number].target) for number in numbers])
        for size, numbers in zip(sizes, inner, strict=True)
    ]
    return plans, inner


def _size(texts: Sequence[str]) -> tuple[int, int]:
    """Width and height of a box around texts."""
    return ceil(max(map(cells, texts)) * CHARACTER + 2 * PADDING), LINE * len(texts) + PADDING


def _frame_size(plan: Plan, heading: Sequence[str]) -> tuple[float, float]:
    wide = max(plan.width, *(cells(text) * CHARACTER for text in heading))
    return wide + 2 * _MARGIN, plan.height + _HEADING + _MARGIN


def _pack(sizes: Sequence[tuple[float, float]]) -> tuple[Rect, ...]:
    """Frames in rows, in their order; a row ends where the picture would get too wide."""
    limit = max(
        max((width for width, _ in sizes), default=0.0),
        sqrt(_SHAPE * sum((width + _MARGIN) * (height + _MARGIN) for width, height in sizes)),
    )
    frames: list[Rect] = []
    x = y = float(_MARGIN)
    row = 0.0
    for width, height in sizes:
        if x > _MARGIN and x + width > limit + _MARGIN:
            x, y, row = float(_MARGIN), y + row + _MARGIN, 0.0
        frames.append(Rect(x, y, width, height))
        x += width + _MARGIN
        row = max(row, height)
    return tuple(frames)


def _across(source: Rect, target: Rect) -> tuple[Point, ...]:
    """A line between two blocks: from the side of one box to the near side of the other."""
    forth = source.x <= target.x
    return (
        (source.x + (source.width if forth else 0), source.y + source.height / 2),
        (target.x + (0 if forth else target.width), target.y + target.height / 2),
    )
