"""Where the boxes of one large graph go, and along which points its lines run.

Sugiyama's steps, for hundreds of boxes: layers that are no wider than a screen can show, trunks that lines of one box
share where they pass layers, barycentre sweeps against crossings, and least squares for the columns.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

from agentic_dsl.cli.drawing.layout import separate
from agentic_dsl.compiler.critical_path import ranks
from agentic_dsl.errors import UsageError

GAP = 26
"""Least distance between two boxes of a layer."""

ROW_GAP = 52
"""Distance between two layers."""

_TRUNK = 10
_NARROW = 10
_SWEEPS = 10
_STIFFNESS = 10_000.0
"""How many boxes it takes to bend a trunk."""

MAX_SLOTS = 40_000
"""Boxes and bends that a picture may have; more take too long, and nobody could read them."""

Slot = tuple[str, str, int]
"""A box ``("", key, 0)``, or the trunk of box ``key`` where it passes a layer: ``("out" or "in", key, layer)``."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rect:
    """A box: its left top corner and its size."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, x: float, y: float) -> Rect:
        """The same box elsewhere."""
        return Rect(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `arrange` gives: boxes by key, the points of each line in the given order, and the size of it all."""

    boxes: Mapping[str, Rect]
    lines: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def arrange(sizes: Mapping[str, tuple[int, int]], ways: Sequence[tuple[str, str]]) -> Plan:
    """Places boxes and lines.

    Args:
        sizes: key → width and height, in the order in which boxes are met.
        ways: source and target of each line; circles are allowed.

    Raises:
        UsageError: the picture would have more than `MAX_SLOTS` boxes and bends.
    """
    rank = ranks(list(sizes), ways)
    down = [pair if rank[pair[0]] < rank[pair[1]] else (pair[1], pair[0]) for pair in ways]
    depth = _layers(sorted(sizes, key=rank.__getitem__), down)
    routes = _routes(depth, down)
    layers: list[list[Slot]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    place: dict[Slot, int] = {("", key, 0): layer for key, layer in depth.items()}
    place |= {slot: slot[2] for route in routes for slot in route[1:-1]}
    for slot in sorted(place, key=lambda slot: rank[slot[1]]):
        layers[place[slot]].append(slot)
    segments: list[list[tuple[Slot, Slot]]] = [[] for _ in layers]
    for one, two in dict.fromkeys(pair for route in routes for pair in pairwise(route)):
        if one != two:
            segments[place[one]].append((one, two))
    layers = _uncross(layers, segments)
    width = {slot: _TRUNK if slot[0] else sizes[slot[1]][0] for slot in place}
    centre = _centres(layers, segments, width)
    top, tops = 0.0, []
    heights = [max((sizes[slot[1]][1] for slot in layer if not slot[0]), default=0) for layer in layers]
    for height in heights:
        tops.append(top)
        top += height + ROW_GAP
    boxes = {
        key: Rect(centre["", key, 0] - w / 2, tops[depth[key]] + (heights[depth[key]] - h) / 2, w, h)
        for key, (w, h) in sizes.items()
    }
    bands = [(top, top + height) for top, height in zip(tops, heights, strict=True)]
    lines = [
        _points(boxes[pair[0]], boxes[pair[1]], [(centre[slot], *bands[slot[2]]) for slot in route[1:-1]])
        for route, pair in zip(routes, down, strict=True)
    ]
    lines = [line if given == pair else line[::-1] for line, given, pair in zip(lines, ways, down, strict=True)]
    return Plan(boxes, tuple(lines), max((b.x + b.width for b in boxes.values()), default=0), max(top - ROW_GAP, 0))


def _points(source: Rect, target: Rect, bends: Sequence[tuple[float, float, float]]) -> tuple[Point, ...]:
    """A line from below its source to above its target; a bend runs straight through the band of its layer."""
    if source == target:
        right, middle = source.x + source.width, source.y + source.height / 2
        return (right, middle - 8), (right + GAP / 2, middle), (right, middle + 8)
    points: list[Point] = [(source.x + source.width / 2, source.y + source.height)]
    for x, top, bottom in bends:
        points += [(x, top), (x, bottom)]
    return (*points, (target.x + target.width / 2, target.y))


def _layers(order: Sequence[str], ways: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A layer for each box, below all that lead to it; full layers pass boxes on to the next."""
    sources: dict[str, list[str]] = defaultdict(list)
    for source, target in ways:
        if source != target:
            sources[target].append(source)
    limit = max(_NARROW, isqrt(len(order)))
    used: Counter[int] = Counter()
    depth: dict[str, int] = {}
    for key in order:
        layer = max((depth[source] + 1 for source in sources[key]), default=0)
        while used[layer] >= limit:
            layer += 1
        used[layer] += 1
        depth[key] = layer
    return depth


def _routes(depth: Mapping[str, int], ways: Sequence[tuple[str, str]]) -> list[tuple[Slot, ...]]:
    """For each line the slots that it runs through, ends included."""
    leaving = Counter(source for source, _ in ways)
    entering = Counter(target for _, target in ways)
    slots: set[Slot] = set()
    routes = []
    for source, target in ways:
        trunk = ("out", source) if leaving[source] >= entering[target] else ("in", target)
        bends = [(*trunk, layer) for layer in range(depth[source] + 1, depth[target])]
        slots.update(bends)
        if len(slots) + len(depth) > MAX_SLOTS:
            raise UsageError("the graph is too large for a picture", help="choose one subgraph with --path")
        routes.append((("", source, 0), *bends, ("", target, 0)))
    return routes


def _uncross(layers: list[list[Slot]], segments: Sequence[Sequence[tuple[Slot, Slot]]]) -> list[list[Slot]]:
    """The order with the fewest crossings that the sweeps find."""
    above: dict[Slot, list[Slot]] = defaultdict(list)
    below: dict[Slot, list[Slot]] = defaultdict(list)
    for group in segments:
        for one, two in group:
            above[two].append(one)
            below[one].append(two)
    best, fewest = layers, _crossings(layers, segments)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        layers = [list(layer) for layer in layers]
        down = sweep % 2 == 0
        near = above if down else below
        for layer in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            fixed = layer - 1 if down else layer + 1
            places = {slot: float(number) for number, slot in enumerate(layers[fixed])}
            own = {slot: float(number) for number, slot in enumerate(layers[layer])}
            wanted = {
                slot: sum(places[other] for other in near[slot]) / len(near[slot]) if near[slot] else own[slot]
                for slot in layers[layer]
            }
            layers[layer].sort(key=wanted.__getitem__)
        if (crossings := _crossings(layers, segments)) < fewest:
            best, fewest = layers, crossings
    return best


def _crossings(layers: Sequence[Sequence[Slot]], segments: Sequence[Sequence[tuple[Slot, Slot]]]) -> int:
    place = {slot: number for layer in layers for number, slot in enumerate(layer)}
    crossings = 0
    for group in segments:
        passed: list[int] = []
        for _, end in sorted((place[one], place[two]) for one, two in group):
            crossings += len(passed) - bisect_right(passed, end)
            insort(passed, end)
    return crossings


def _centres(
    layers: Sequence[Sequence[Slot]], segments: Sequence[Sequence[tuple[Slot, Slot]]], width: Mapping[Slot, int]
) -> dict[Slot, float]:
    """The middle of every slot, near its neighbours above and below; the leftmost edge is 0."""
    near: dict[Slot, tuple[list[Slot], list[Slot]]] = defaultdict(lambda: ([], []))
    for group in segments:
        for one, two in group:
            near[two][0].append(one)
            near[one][1].append(two)
    centre: dict[Slot, float] = {}
    for layer in layers:
        centre.update(zip(layer, separate(layer, [0.0] * len(layer), width, GAP), strict=True))
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted, weights = [], []
            for slot in layer:
                others = near[slot][sweep % 2]
                # A trunk runs straight, and boxes make room for it; else each layer would push it further aside.
                straight = [other for other in others if other[:2] == slot[:2] and slot[0]]
                others = straight or others
                wanted.append(sum(centre[other] for other in others) / len(others) if others else centre[slot])
                weights.append(_STIFFNESS if straight else 1.0)
            centre.update(zip(layer, separate(layer, wanted, width, GAP, weights), strict=True))
    left = min((centre[slot] - width[slot] / 2 for layer in layers for slot in layer), default=0.0)
    return {slot: round(at - left, 1) for slot, at in centre.items()}
