"""Colours by node type, worked out from the node table, for light and dark backgrounds."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from agentic_dsl.compiler.diagram import Item, ItemKind
from agentic_dsl.node_table import NODE_TABLE

_GOLDEN_ANGLE = 137.508
"""Degrees between the hues of two rows of the table: however many rows there are, no two hues come near."""


@dataclass(frozen=True, slots=True)
class Paint:
    """How one sort of item is coloured; colours as ``#rrggbb``."""

    name: str
    fill: str
    line: str
    dark_fill: str
    dark_line: str


def _paint(name: str, hue: float | None) -> Paint:
    def colour(lightness: float, saturation: float) -> str:
        parts = colorsys.hls_to_rgb((hue or 0) / 360, lightness, 0 if hue is None else saturation)
        return "#" + "".join(f"{round(part * 255):02x}" for part in parts)

    return Paint(name, colour(0.91, 0.7), colour(0.38, 0.55), colour(0.19, 0.4), colour(0.66, 0.5))


_TYPES = {name: _paint(name, number * _GOLDEN_ANGLE % 360) for number, name in enumerate(NODE_TABLE)}

OTHER = _paint("other", None)
"""What is no node of a known type."""

PAINTS: tuple[Paint, ...] = (*_TYPES.values(), OTHER)
"""Every paint; their names are words of ``[a-z_]``, safe in any format."""

CRITICAL, FAILURE = "#0b57d0", "#b3261e"
DARK_CRITICAL, DARK_FAILURE = "#8ab4f8", "#f2b8b5"
"""Lines of the critical path, and lines that are taken on failure."""


def paint_of(item: Item) -> Paint:
    """The paint of an item; an unknown type has the same as no type."""
    return _TYPES.get(item.type, OTHER) if item.kind is ItemKind.NODE else OTHER
