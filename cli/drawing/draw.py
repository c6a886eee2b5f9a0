"""The drawing of a subgraph, the best that fits the width."""

from __future__ import annotations

from agentic_dsl.ast import Subgraph
from agentic_dsl.cli.drawing.canvas import Canvas
from agentic_dsl.cli.drawing.lanes import draw_lanes
from agentic_dsl.cli.drawing.layout import Layout, lay_out
from agentic_dsl.cli.drawing.picture import Box, Picture, fit, picture_of
from agentic_dsl.cli.drawing.routes import Net, route
from agentic_dsl.cli.findings import cells

WIDTH = 80

_TEXT_WIDTHS = (40, 28, 22, 18)
"""Widths to which texts in boxes are cut, tried in turn until the drawing fits."""


def draw(subgraph: Subgraph, *, width: int = WIDTH, unicode: bool = True, growing: bool = False) -> list[str]:
    """The drawing, one text a row, without trailing blanks.

    Args:
        subgraph: what to draw; a wrong one is drawn too, without the lines that close circles.
        width: columns that there are.
        unicode: False for ASCII only.
        growing: whether nodes are still to come.
    """
    picture = picture_of(subgraph, growing=growing)
    if not picture.boxes:
        return ["(no nodes)"]
    rows = draw_boxes(picture, width=width, unicode=unicode)
    if rows is None:
        rows = draw_lanes(picture, width=width, unicode=unicode)
    if any(line.dashed for line in picture.lines):
        rows += ["", "dashed: taken on failure"]
    return rows


def draw_boxes(picture: Picture, *, width: int, unicode: bool) -> list[str] | None:
    """Boxes in layers, top down; None where they do not fit the width."""
    boxes = {box.key: box for box in picture.boxes}
    entries = {key: sum(line.target == key for line in picture.lines) for key in boxes}
    for text_width in _TEXT_WIDTHS:
        texts = {key: [fit(text, text_width) for text in (box.title, *box.lines)] for key, box in boxes.items()}
        # Wide enough for its texts, and for an entry column a line with room to step aside.
        widths = {key: max(*map(cells, texts[key]), 2 * entries[key] + 1, 5) + 4 for key in boxes}
        layout = lay_out(picture, widths)
        if layout.columns <= width:
            return _paint(layout, boxes, texts).rows(unicode=unicode)
    return None


def _paint(layout: Layout, boxes: dict[str, Box], texts: dict[str, list[str]]) -> Canvas:
    canvas = Canvas()
    row = 0
    number = 0
    for layer, segments in zip(layout.layers, layout.segments, strict=True):
        height = max((len(texts[slot]) for slot in layer if isinstance(slot, str)), default=0) + 2
        for slot in layer:
            if isinstance(slot, str):
                # Padding keeps the boxes of a layer equally high, so that all its lines leave from one row.
                padded = texts[slot] + [""] * (height - 2 - len(texts[slot]))
                canvas.box(row, layout.left[slot], layout.width[slot], padded, rounded=boxes[slot].rounded)
        nets = route(layout, segments)
        bottom = row + height - 1
        tracks = 1 + max((net.track for net in nets if net.track is not None), default=-1)
        arrow_row = bottom + tracks + 1
        passing = {slot for slot in layer if not isinstance(slot, str)}
        for net in nets:
            _paint_net(canvas, number, net, bottom, arrow_row)
            number += 1
        for segment in segments:
            if segment.source in passing:
                column = layout.left[segment.source]
                line = number
                number += 1
                canvas.vertical(line, column, row - 1, bottom + 1)
                if segment.line.dashed:
                    canvas.dash(line)
        row = arrow_row + 1
    return canvas


def _paint_net(canvas: Canvas, number: int, net: Net, bottom: int, arrow_row: int) -> None:
    """One net: out of the boxes, along its track, down to its arrows."""
    if net.dashed:
        canvas.dash(number)
    track = arrow_row if net.track is None else bottom + 1 + net.track
    canvas.vertical(number, net.out, bottom, track)
    canvas.horizontal(number, track, *net.extent)
    if isinstance(net.source, str):
        canvas.text(bottom, net.out, "┬")
    for column, target in net.entries:
        canvas.vertical(number, column, track, arrow_row)
        if isinstance(target, str):
            canvas.text(arrow_row, column, "▼")
