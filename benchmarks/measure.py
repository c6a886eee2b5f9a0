"""Timing with spread, and the heading and tables that benchmarks print."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True)
class Timing:
    """Repeated times of one thing, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The time to quote."""
        return statistics.median(self.seconds)

    def text(self, unit: float = 1e3, name: str = "ms") -> str:
        """Median and range, such as ``2.41 ms (2.30–2.95, n=30)``."""
        median, low, high = (_three_digits(time * unit) for time in (self.median, min(self.seconds), max(self.seconds)))
        return f"{median} {name} ({low}–{high}, n={len(self.seconds)})"


def _three_digits(number: float) -> str:
    """A positive number with three significant digits, without an exponent."""
    return f"{number:.3g}" if number < 999.5 else f"{number:,.0f}"


T = TypeVar("T")


def timed(work: Callable[[T], object], inputs: Iterable[T]) -> Timing:
    """The time of ``work`` on each input. Each input is used once, so that no cache of ours is warm for it."""
    times = []
    gc.collect()
    for item in inputs:
        start = time.perf_counter()
        work(item)
        times.append(time.perf_counter() - start)
    return Timing(tuple(times))


def heading(title: str, *packages: str) -> str:
    """What was measured, where and with which versions."""
    versions = " · ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    machine = f"Python {platform.python_version()} · {platform.machine()} · {os.cpu_count()} cores"
    return f"{title}\n{machine}{' · ' + versions if versions else ''}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as it stands in ``docs/benchmarks.md``; a row that is too short is filled up with empty cells."""
    lines = [header, ["---"] * len(header), *([*row, *[""] * (len(header) - len(row))] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
