"""Where boxes go: a layer each, an order in the layer, a column.

The steps are those of Sugiyama: longest-path layers, a place holder in every layer that a line passes, barycentre
sweeps against crossings, and columns that stay near their neighbours' (pool adjacent violators, so the order holds).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from agentic_dsl.cli.drawing.picture import Line, Picture

_S = TypeVar("_S")
_SWEEPS = 12
GAP = 3
"""Free cells between two neighbours of a layer."""

Slot = str | tuple[int, int]
"""A box by its key, or the place where line number i passes layer j."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A line's part between two neighbouring layers."""

    source: Slot
    target: Slot
    line: Line


@dataclass(frozen=True, slots=True)
class Layout:
    """Slots by layer, left to right; the left column of each; the segments by the layer that they leave."""

    layers: tuple[tuple[Slot, ...], ...]
    left: Mapping[Slot, int]
    width: Mapping[Slot, int]
    segments: tuple[tuple[Segment, ...], ...]

    @property
    def columns(self) -> int:
        """How wide the drawing is."""
        return max(self.left[slot] + self.width[slot] for layer in self.layers for slot in layer)

    def centre(self, slot: Slot) -> int:
        """The middle column of a slot."""
        return self.left[slot] + (self.width[slot] - 1) // 2


def lay_out(picture: Picture, widths: Mapping[str, int]) -> Layout:
    """The layout of a picture whose boxes have the given widths."""
    order, lines = picture.forward()
    depth: dict[str, int] = dict.fromkeys(order, 0)
    for key in order:
        for line in lines:
            if line.source == key:
                depth[line.target] = max(depth[line.target], depth[key] + 1)
    layers: list[list[Slot]] = [[] for _ in range(max(depth.values()) + 1)]
    for key in order:
        layers[depth[key]].append(key)
    segments: list[list[Segment]] = [[] for _ in layers]
    for number, line in enumerate(lines):
        above: Slot = line.source
        for layer in range(depth[line.source] + 1, depth[line.target]):
            layers[layer].append((number, layer))
            segments[layer - 1].append(Segment(above, (number, layer), line))
            above = (number, layer)
        segments[depth[line.target] - 1].append(Segment(above, line.target, line))
    width = {slot: widths[slot] if isinstance(slot, str) else 1 for layer in layers for slot in layer}
    layers = _uncross(layers, segments)
    return Layout(tuple(map(tuple, layers)), _columns(layers, segments, width), width, tuple(map(tuple, segments)))


def _uncross(layers: list[list[Slot]], segments: list[list[Segment]]) -> list[list[Slot]]:
    """The order with the fewest crossings that the sweeps find."""
    best, fewest = layers, _crossings(layers, segments)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        layers = [list(layer) for layer in layers]
        down = sweep % 2 == 0
        for index in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            fixed = {slot: place for place, slot in enumerate(layers[index - 1 if down else index + 1])}
            near: dict[Slot, list[int]] = defaultdict(list)
            for segment in segments[index - 1 if down else index]:
                if down:
                    near[segment.target].append(fixed[segment.source])
                else:
                    near[segment.source].append(fixed[segment.target])
            places = {
                slot: sum(near[slot]) / len(near[slot]) if near[slot] else float(place)
                for place, slot in enumerate(layers[index])
            }
            layers[index].sort(key=places.__getitem__)
        if (crossings := _crossings(layers, segments)) < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: Sequence[Sequence[Slot]], segments: Sequence[Sequence[Segment]]) -> int:
    place = {slot: index for layer in layers for index, slot in enumerate(layer)}
    crossings = 0
    for group in segments:
        ends = sorted((place[s.source], place[s.target]) for s in group)
        crossings += sum(
            below > other_below and above < other_above
            for index, (above, below) in enumerate(ends)
            for other_above, other_below in ends[index + 1 :]
        )
    return crossings


def _columns(layers: list[list[Slot]], segments: list[list[Segment]], width: Mapping[Slot, int]) -> dict[Slot, int]:
    """The left column of every slot."""
    centre: dict[Slot, float] = {}
    for layer in layers:
        at = 0.0
        for slot in layer:
            centre[slot] = at + width[slot] / 2
            at += width[slot] + GAP
    above: dict[Slot, list[Slot]] = defaultdict(list)
    below: dict[Slot, list[Slot]] = defaultdict(list)
    for group in segments:
        for segment in group:
            above[segment.target].append(segment.source)
            below[segment.source].append(segment.target)
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = []
            for slot in layer:
                near = [centre[other] for other in neighbours[slot]]
                wanted.append(sum(near) / len(near) if near else centre[slot])
            centre.update(zip(layer, separate(layer, wanted, width, GAP), strict=True))
    left = {slot: round(centre[slot] - width[slot] / 2) for layer in layers for slot in layer}
    shift = min(left.values())
    return {slot: column - shift for slot, column in left.items()}


def separate(
    layer: Sequence[_S],
    wanted: Sequence[float],
    width: Mapping[_S, int],
    gap: int,
    weights: Sequence[float] | None = None,
) -> list[float]:
    """The centres nearest to the wanted ones (least squares) that keep order and distance.

    Args:
        layer: what stands beside each other, left to right.
        wanted: where the centre of each would be if it were alone.
        width: how wide each is.
        gap: the least distance between two neighbours.
        weights: how much it counts that each is where it wants to be; 1 where nothing is said.
    """
    offsets = [0.0]
    for one, two in pairwise(layer):
        offsets.append(offsets[-1] + (width[one] + width[two]) / 2 + gap)
    pools: list[tuple[float, float, int]] = []
    for want, offset, weight in zip(wanted, offsets, weights or [1.0] * len(layer), strict=True):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, mass, size = pools.pop()
            mean, total, count = (mean * total + other * mass) / (total + mass), total + mass, count + size
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
