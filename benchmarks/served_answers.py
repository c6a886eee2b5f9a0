"""Answers of a server to concurrent clients: kept as JSON lines, counted in a table."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import markdown_table

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Served:
    """One line of the file.

    Attributes:
        inputs: what the figures depend on beside mode and task.
        mode: who enforces (see `server_load.MODES`).
        task: the name of the request.
        run: when its run began, in seconds of the clock; times of one run can be compared.
        reason: why the answer is not valid, empty where it is; `lost` says that there was none.
        start: seconds from the start of the run until it was sent, `end` until it was there.
    """

    inputs: dict[str, Any]
    mode: str
    task: str
    run: float
    reason: str
    lost: bool
    tokens: int
    prompt_tokens: int
    cached_tokens: int
    start: float
    end: float
    text: str


def append(path: Path, served: Served) -> None:
    """Adds a line to a file, which is made where it is not there; not to be called by two threads at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        # An interruption may have cut the last line; what is added must not go on in it.
        cut = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        file.write(b"\n" * cut + json.dumps(asdict(served), ensure_ascii=False).encode() + b"\n")


def load(path: Path) -> list[Served]:
    """The answers of a file; a line that an interruption has cut is skipped."""
    found: list[Served] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(Served(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def busy_seconds(answers: Sequence[Served]) -> float:
    """The time in which the server had these requests, all runs together."""
    runs: dict[float, list[Served]] = {}
    for served in answers:
        runs.setdefault(served.run, []).append(served)
    return sum(max(one.end for one in mine) - min(one.start for one in mine) for mine in runs.values())


def table(answers: Sequence[Served], titles: Mapping[str, str]) -> str:
    """One row a mode: what came, how long clients waited, tokens of answers a second."""
    header = ["server", "valid", "lost", *(f"p{number} (s)" for number in PERCENTILES), "tokens", "tokens/s", "cached"]
    rows = []
    for mode, title in titles.items():
        if not (mine := [served for served in answers if served.mode == mode]):
            continue
        times = [served.end - served.start for served in mine]
        tokens = sum(served.tokens for served in mine)
        prompts = sum(served.prompt_tokens for served in mine)
        cached = sum(served.cached_tokens for served in mine)
        rows.append(
            [
                title,
                f"{sum(not served.reason for served in mine)} of {len(mine)}",
                str(sum(served.lost for served in mine)),
                *(f"{percentile(times, number):.1f}" for number in PERCENTILES),
                f"{tokens:,}",
                f"{tokens / busy_seconds(mine):.1f}",
                f"{cached / prompts:.0%}" if cached else "—",
            ]
        )
    return markdown_table(header, rows)


def percentile(values: Sequence[float], number: int) -> float:
    """The value that so many of a hundred do not exceed, interpolated."""
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=100, method="inclusive")[number - 1]
