"""Diagrams as SVG: one file that needs nothing else, for light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from agentic_dsl.cli.drawing import labels
from agentic_dsl.cli.drawing.layered import Point, Rect
from agentic_dsl.cli.drawing.palette import (
    CRITICAL,
    DARK_CRITICAL,
    DARK_FAILURE,
    FAILURE,
    OTHER,
    PAINTS,
    Paint,
    paint_of,
)
from agentic_dsl.cli.drawing.scene import CHARACTER, LINE, PADDING, Scene, lay_out
from agentic_dsl.compiler.diagram import Diagram, Item, ItemKind, Way

_LEGEND_ROW, _SWATCH = 26, 38
_ROUND = {ItemKind.END: 14, ItemKind.OUTSIDE: 14, ItemKind.OPEN: 14}

_OTHER = "call, end or not known"

LEGEND: tuple[tuple[str, str], ...] = (
    ("flow", "next"),
    ("call", "library call"),
    ("jump", "on failure"),
    ("critical", "critical path"),
)
"""Sort of line → what it means."""


def draw_svg(diagram: Diagram) -> str:
    """The diagram as an SVG file with a legend.

    Raises:
        UsageError: the diagram is too large for a picture.
    """
    scene = lay_out(diagram)
    entries = sum(_SWATCH + len(name) * CHARACTER for name, _ in legend_types(diagram))
    wide = max(scene.width, 720, round(entries) + 2 * _LEGEND_ROW)
    high = scene.height + 2 * _LEGEND_ROW + 10
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
            f'role="img" aria-label="{_text(labels.heading(diagram))}">',
            f"<style>{style()}</style>",
            f'<rect class="paper" width="{wide}" height="{high}"/>',
            *picture(diagram, scene, interactive=False),
            *_legend(diagram, scene.height + 8),
            "</svg>",
            "",
        ]
    )


def picture(diagram: Diagram, scene: Scene, *, interactive: bool) -> Iterator[str]:
    """The elements of a picture: frames, lines, items.

    Args:
        diagram: what is drawn.
        scene: where.
        interactive: whether items can be focused and pressed, as those of a page.
    """
    yield from _markers()
    for frame, texts in zip(scene.frames, scene.headings, strict=True):
        yield from _frame(frame, texts)
    # What matters most is painted last, so that it lies on top.
    order = sorted(range(len(diagram.ways)), key=lambda number: diagram.ways[number].critical)
    for number in order:
        yield _line(diagram.ways[number], scene.lines[number])
    for item in diagram.items:
        yield from _item(item, scene.boxes[item.key], scene.texts[item.key], interactive=interactive)


def style() -> str:
    """The style sheet of pictures."""
    light = "".join(_paint_rule(paint.name, paint.fill, paint.line) for paint in PAINTS)
    dark = "".join(_paint_rule(paint.name, paint.dark_fill, paint.dark_line) for paint in PAINTS)
    return (
        _STYLE
        + _theme("#ffffff", "#1b1f24", "#57606a", "#d0d7de", CRITICAL, FAILURE)
        + light
        + "@media (prefers-color-scheme: dark){"
        + _theme("#0d1117", "#e6edf3", "#9198a1", "#3d444d", DARK_CRITICAL, DARK_FAILURE)
        + dark
        + "}"
    )


_STYLE = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
    ".title{font-weight:bold}"
    ".item rect{stroke-width:1.2}.item.call rect{stroke-dasharray:6 4}.item.open rect{stroke-dasharray:2 3}"
    ".item.critical rect{stroke-width:2.6}"
    ".way{fill:none;stroke-width:1.3}.way.call{stroke-dasharray:7 5}.way.jump{stroke-dasharray:2 4}"
    ".way.critical{stroke-width:2.8}"
    ".frame{fill:none;stroke-width:1;rx:8px}"
)


def _theme(paper: str, ink: str, faint: str, frame: str, critical: str, failure: str) -> str:
    """Colours that do not depend on the type."""
    return (
        f".paper{{fill:{paper}}}text{{fill:{ink}}}.faint{{fill:{faint}}}.frame{{stroke:{frame}}}"
        f".way{{stroke:{faint}}}.way.jump{{stroke:{failure}}}.way.critical{{stroke:{critical}}}"
        f".tip{{fill:{faint}}}.tip.jump{{fill:{failure}}}.tip.critical{{fill:{critical}}}"
        f".item.critical rect{{stroke:{critical}}}.mark-error{{fill:{failure};font-weight:bold}}"
        f".mark-warning,.mark-info{{font-weight:bold}}"
    )


def _paint_rule(name: str, fill: str, line: str) -> str:
    return f".t-{name} rect{{fill:{fill}}}.t-{name}:not(.critical) rect{{stroke:{line}}}"


def _markers() -> Iterator[str]:
    yield "<defs>"
    for sort, _ in LEGEND:
        yield (
            f'<marker id="tip-{sort}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path class="tip {sort}" d="M0 0L8 4L0 8z"/></marker>'
        )
    yield "</defs>"


def _line(way: Way, points: Sequence[Point]) -> str:
    classes = f"way {way.kind.value}{' critical' if way.critical else ''}"
    tip = "critical" if way.critical else way.kind.value
    said = f"<title>{_text(way.label)}</title>" if way.label else ""
    return (
        f'<path class="{classes}" data-from="{way.source}" data-to="{way.target}" d="{_curve(points)}" '
        f'marker-end="url(#tip-{tip})">{said}</path>'
    )


def _curve(points: Sequence[Point]) -> str:
    """Straight down through layers, a curve with vertical ends between them."""
    (x, y), *rest = points
    parts = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        if abs(to_x - x) < 0.1:
            parts.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(parts)


def _frame(frame: Rect, texts: Sequence[str]) -> Iterator[str]:
    yield f'<rect class="frame" {_place(frame)}/>'
    for number, text in enumerate(texts):
        at = f'x="{frame.x + 12:.1f}" y="{frame.y + 18 + LINE * number:.1f}"'
        yield f'<text class="{"title" if number == 0 else "faint"}" {at}>{_text(text)}</text>'


def _item(item: Item, box: Rect, texts: Sequence[str], *, interactive: bool) -> Iterator[str]:
    classes = ["item", item.kind.value, f"t-{paint_of(item).name}"]
    if item.critical:
        classes.append("critical")
    pressed = f' id="{item.key}" tabindex="0" role="button"' if interactive else ' role="img"'
    said = _text(labels.summary(item))
    yield f'<g class="{" ".join(classes)}"{pressed} aria-label="{said}"><title>{said}</title>'
    yield f'<rect {_place(box)} rx="{_ROUND.get(item.kind, 5)}"/>'
    for number, text in enumerate(texts):
        shown = "title" if number == 0 else ""
        if item.severity is not None and number == len(texts) - 1:
            shown = f"mark-{item.severity}"
        at = f'x="{box.x + PADDING:.1f}" y="{box.y + LINE * (number + 1):.1f}"'
        yield f'<text class="{shown}" {at}>{_text(text)}</text>' if shown else f"<text {at}>{_text(text)}</text>"
    yield "</g>"


def _legend(diagram: Diagram, top: float) -> Iterator[str]:
    """Colours of the types there are, sorts of lines, and the signs of findings."""
    x = 24.0
    for name, paint in legend_types(diagram):
        yield f'<g class="item t-{paint.name}"><rect x="{x:.1f}" y="{top:.1f}" width="14" height="14" rx="3"/></g>'
        yield f'<text x="{x + 20:.1f}" y="{top + 11:.1f}">{_text(name)}</text>'
        x += _SWATCH + len(name) * CHARACTER
    x = 24.0
    for sort, meaning in LEGEND:
        y = top + _LEGEND_ROW + 7
        yield f'<path class="way {sort}" d="M{x:.1f} {y:.1f}h34" marker-end="url(#tip-{sort})"/>'
        yield f'<text x="{x + 42:.1f}" y="{y + 4:.1f}">{meaning}</text>'
        x += 42 + len(meaning) * CHARACTER + 24


def legend_types(diagram: Diagram) -> list[tuple[str, Paint]]:
    """The paints that a diagram needs, with the words for each."""
    found = {paint_of(item).name for item in diagram.items}
    return [(_OTHER if paint is OTHER else paint.name, paint) for paint in PAINTS if paint.name in found]


def _place(box: Rect) -> str:
    return f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'


def _text(text: str) -> str:
    """A text inside an element or a quoted attribute."""
    return escape(text, quote=True)
