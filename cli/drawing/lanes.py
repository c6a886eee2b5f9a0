"""The narrow drawing: one row a node, and a lane for every node that something already points at."""

from __future__ import annotations

from agentic_dsl.cli.drawing.canvas import Canvas
from agentic_dsl.cli.drawing.picture import Line, Picture, fit

_STEP = 2
"""Columns from one lane to the next."""

_LEAST_TEXT = 24
"""Columns that texts get however many lanes there are."""


def draw_lanes(picture: Picture, *, width: int, unicode: bool) -> list[str]:
    """One row a node in topological order; the lines between rows show what leads where."""
    boxes = {box.key: box for box in picture.boxes}
    order, lines = picture.forward()
    place = {key: index for index, key in enumerate(order)}
    canvas = Canvas()
    lanes: list[str | None] = []
    labels: list[tuple[int, str]] = []
    row = 0
    widest = 0
    for number, key in enumerate(order):
        lane = lanes.index(key) if key in lanes else _free(lanes)
        _take(lanes, lane, None)
        widest = max(widest, len(lanes))
        _pass(canvas, lanes, row, row + 1)
        canvas.text(row, lane * _STEP, "○" if boxes[key].rounded else "●")
        box = boxes[key]
        labels.append((row, "  ".join((box.title, *box.lines))))
        row += 1
        outgoing = sorted((line for line in lines if line.source == key), key=lambda line: place[line.target])
        if outgoing:
            _branch(canvas, lanes, lane, outgoing, row, number)
            widest = max(widest, len(lanes))
            row += 1
        while lanes and lanes[-1] is None:
            lanes.pop()
    column = widest * _STEP + 1
    for label_row, label in labels:
        canvas.text(label_row, column, fit(label, max(width - column, _LEAST_TEXT)))
    return canvas.rows(unicode=unicode)


def _branch(canvas: Canvas, lanes: list[str | None], lane: int, outgoing: list[Line], row: int, number: int) -> None:
    """The row below a node: its lines go to lanes that wait for their targets, or open new ones."""
    before = list(lanes)
    ends: list[tuple[int, Line]] = []
    for line in outgoing:
        if line.target in lanes:
            ends.append((lanes.index(line.target), line))
            continue
        free = lane if lanes[lane] is None else _free(lanes)
        _take(lanes, free, line.target)
        ends.append((free, line))
    for index, waiting in enumerate(before):
        if waiting is not None:
            canvas.vertical(-1 - index, index * _STEP, row - 1, row + 1)
    for end, line in ends:
        one = number * 2 + line.dashed
        if line.dashed:
            canvas.dash(one)
        canvas.vertical(one, lane * _STEP, row - 1, row)
        low, high = sorted((lane, end))
        canvas.horizontal(one, row, low * _STEP, high * _STEP)
        if end < len(before) and before[end] is not None:
            # The waiting lane takes the line in: one joint, not a crossing.
            canvas.vertical(one, end * _STEP, row - 1, row + 1)
        else:
            canvas.vertical(one, end * _STEP, row, row + 1)


def _pass(canvas: Canvas, lanes: list[str | None], top: int, bottom: int) -> None:
    for index, waiting in enumerate(lanes):
        if waiting is not None:
            canvas.vertical(-1 - index, index * _STEP, top, bottom)


def _free(lanes: list[str | None]) -> int:
    return lanes.index(None) if None in lanes else len(lanes)


def _take(lanes: list[str | None], lane: int, target: str | None) -> None:
    if lane == len(lanes):
        lanes.append(target)
    else:
        lanes[lane] = target
