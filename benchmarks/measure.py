"""Timing with spread, and the heading that every benchmark prints."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
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
        low, high = min(self.seconds) * unit, max(self.seconds) * unit
        return f"{self.median * unit:.3g} {name} ({low:.3g}–{high:.3g}, n={len(self.seconds)})"


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
