"""How lines run in the space between two layers: down from a box, along a track, down to the next box.

All flow lines of a box leave it as one net; so do all its dashed lines. Every line has an entry column of its own, so
that where two nets meet they cross and never merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agentic_dsl.cli.drawing.layout import Layout, Segment, Slot


@dataclass(slots=True)
class Net:
    """The lines of one kind that leave one slot.

    Attributes:
        source: what it leaves.
        dashed: how it is drawn.
        out: the column where it leaves.
        entries: the columns where it arrives, with the slot.
        track: the row below the boxes on which it runs, None where it goes straight down.
    """

    source: Slot
    dashed: bool
    out: int
    entries: list[tuple[int, Slot]] = field(default_factory=list)
    track: int | None = None

    @property
    def extent(self) -> tuple[int, int]:
        """The leftmost and rightmost column that it touches."""
        columns = [self.out, *(column for column, _ in self.entries)]
        return min(columns), max(columns)

    @property
    def is_straight(self) -> bool:
        """Whether it only goes down."""
        return self.extent[0] == self.extent[1]


def route(layout: Layout, segments: Sequence[Segment]) -> list[Net]:
    """The nets of the space below one layer, with their tracks."""
    nets: dict[tuple[Slot, bool], Net] = {}
    for segment in segments:
        key = (segment.source, segment.line.dashed)
        if key not in nets:
            nets[key] = Net(*key, _out_column(layout, segments, *key))
    outs = {net.out for net in nets.values()}
    arrivals: dict[Slot, list[Net]] = {}
    for segment in segments:
        arrivals.setdefault(segment.target, []).append(nets[segment.source, segment.line.dashed])
    for target, arriving in arrivals.items():
        arriving.sort(key=lambda net: net.out)
        for net, column in zip(arriving, _entry_columns(layout, target, arriving, outs), strict=True):
            net.entries.append((column, target))
    _assign_tracks([net for net in nets.values() if not net.is_straight])
    return list(nets.values())


def _out_column(layout: Layout, segments: Sequence[Segment], slot: Slot, dashed: bool) -> int:
    """The middle of the box; where it has lines of both kinds, the dashed ones leave beside it, on their side."""
    centre = layout.centre(slot)
    targets = {True: list[int](), False: list[int]()}
    for segment in segments:
        if segment.source == slot:
            targets[segment.line.dashed].append(layout.centre(segment.target))
    if not dashed or not targets[False]:
        return centre
    flow, jump = (sum(columns) / len(columns) for columns in (targets[False], targets[True]))
    return centre - 2 if jump < flow else centre + 2


def _entry_columns(layout: Layout, target: Slot, arriving: Sequence[Net], outs: set[int]) -> list[int]:
    """A column for each arriving net, left to right: straight down where that is possible, else near the middle."""
    if isinstance(target, tuple):
        return [layout.left[target]] * len(arriving)
    left, right = layout.left[target] + 1, layout.left[target] + layout.width[target] - 2
    centre = layout.centre(target)
    columns: list[int] = []
    for index, net in enumerate(arriving):
        spread = centre + 2 * index - (len(arriving) - 1)
        wanted = net.out if left <= net.out <= right else spread
        low = max(left, columns[-1] + 2 if columns else left)
        high = right - 2 * (len(arriving) - 1 - index)
        free = [c for c in range(low, high + 1) if c == net.out or c not in outs] or [min(low, right)]
        columns.append(min(free, key=lambda column: (abs(column - wanted), column)))
    return columns


def _assign_tracks(nets: list[Net]) -> None:
    """Orders the nets from top to bottom so that few lines cross, then lets distant nets share a track."""
    order = sorted(nets, key=lambda net: net.out)
    cost = _cost(order)
    improved = True
    while improved and cost:
        improved = False
        for one in range(len(order)):
            for two in range(one + 1, len(order)):
                swapped = list(order)
                swapped[one], swapped[two] = swapped[two], swapped[one]
                if (new := _cost(swapped)) < cost:
                    order, cost, improved = swapped, new, True
    for index, net in enumerate(order):
        low, high = net.extent
        over = [
            other.track
            for other in order[:index]
            if other.track is not None and other.extent[0] <= high + 1 and low <= other.extent[1] + 1
        ]
        net.track = max(over) + 1 if over else 0


_OVERLAP = 100
"""How much worse than a crossing it is when two nets share a piece of a column."""


def _cost(order: Sequence[Net]) -> int:
    """What an order costs: crossings, and columns where a lower net's way down meets an upper one's way in."""
    cost = 0
    for index, upper in enumerate(order):
        for lower in order[index + 1 :]:
            low, high = upper.extent
            cost += low < lower.out < high
            low, high = lower.extent
            cost += sum(low < column < high for column, _ in upper.entries)
            cost += _OVERLAP * sum(column == lower.out for column, _ in upper.entries)
    return cost
