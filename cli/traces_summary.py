"""``agentic-dsl traces``: what request traces add up to, engine by engine."""

from __future__ import annotations

import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.inputs import STDIN
from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import Output, Styled
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.runtime.observation.trace import RequestTrace

PERCENTILES = (50, 95, 99)

_TOTAL = "all"

_SHORTEST = 1e-9
"""Seconds; less was never measured, and would make a rate without end, which no percentile survives."""


@dataclass
class _Tally:
    """What the requests of one engine add up to; filled one by one, for a file may be larger than the memory."""

    requests: int = 0
    valid: int = 0
    cached: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    forward_passes: int = 0
    jump_forward_tokens: int = 0
    mask_us: float = 0.0
    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, trace: RequestTrace) -> None:
        """Takes one more request."""
        stats = trace.stats
        self.requests += 1
        self.valid += trace.valid
        self.cached += trace.cached
        if trace.error is not None:
            self.errors[trace.error] += 1
        self.tokens += stats.tokens
        self.prompt_tokens += stats.prompt_tokens
        self.cached_prompt_tokens += stats.cached_tokens
        self.forward_passes += stats.forward_passes
        self.jump_forward_tokens += stats.jump_forward_tokens
        self.mask_us += stats.mask_us
        if stats.seconds >= _SHORTEST and stats.tokens > 0:
            self.seconds.append(stats.seconds)
            self.rates.append(stats.tokens / stats.seconds)
        self._add_time(trace)

    def _add_time(self, trace: RequestTrace) -> None:
        try:
            start = datetime.fromisoformat(trace.time)
            end = start + timedelta(seconds=trace.stats.seconds)
            self.first = start if self.first is None else min(self.first, start)
            self.last = end if self.last is None else max(self.last, end)
        except (ValueError, OverflowError, TypeError):
            return  # a time that nothing of ours wrote: the request counts all the same

    @property
    def throughput(self) -> float | None:
        """Tokens a second of all requests together, from the start of the first to the end of the last."""
        wall = 0.0 if self.first is None or self.last is None else (self.last - self.first).total_seconds()
        return self.tokens / wall if wall > 0 and self.tokens else None

    def record(self) -> dict[str, Any]:
        """As ``--format json`` prints it."""
        return {
            "requests": self.requests,
            "valid": self.valid,
            "valid_share": self.valid / self.requests if self.requests else None,
            "errors": dict(sorted(self.errors.items())),
            "cache_hits": self.cached,
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "cached_prompt_tokens": self.cached_prompt_tokens,
            "forward_passes": self.forward_passes,
            "jump_forward_tokens": self.jump_forward_tokens,
            "mask_us_per_token": self.mask_us / self.tokens if self.tokens else None,
            "seconds": _percentiles(self.seconds),
            "tokens_per_second": _percentiles(self.rates),
            "throughput": self.throughput,
        }


def traces(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES", help="Request traces: files of JSON lines, or - for stdin.")
    ],
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Sum up request traces: requests, validity, tokens, speed, cache hits.

    Percentiles are over the requests that a model answered. Lines that are torn, no traces, or hold numbers that no
    request can have are named on stderr and left out.
    """
    output = output_of(Settings.load(), format, quiet)
    if files.count(STDIN) > 1:
        raise UsageError("standard input is named twice", help="name - once")
    skipped: list[str] = []
    tallies: dict[str, _Tally] = {}
    total = _Tally()
    for trace in _all_of(files, lambda why: _skip(why, skipped, output)):
        name = trace.engine if trace.model is None else f"{trace.engine}/{trace.model}"
        tallies.setdefault(name, _Tally()).add(trace)
        total.add(trace)
    if output.json:
        engines = {name: tally.record() for name, tally in sorted(tallies.items())}
        output.record({"files": list(files), "skipped": len(skipped), "total": total.record(), "engines": engines})
        return
    columns = sorted(tallies.items())
    if len(columns) != 1:
        columns.append((_TOTAL, total))
    output.lines(_table(columns))


def _all_of(files: Sequence[str], on_skip: Callable[[str], None]) -> Iterator[RequestTrace]:
    from agentic_dsl.runtime.observation.trace import read_trace_lines, read_traces

    for name in files:
        if name == STDIN:
            yield from read_trace_lines(sys.stdin.buffer, "stdin", on_skip=on_skip)
        else:
            yield from read_traces(name, on_skip=on_skip)


def _skip(why: str, skipped: list[str], output: Output) -> None:
    skipped.append(why)
    output.note(printable(f"skipped: {why}"))


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """The percentiles of `PERCENTILES`, None of nothing."""
    if not values:
        return None
    # A single value is every percentile of itself.
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
    return {f"p{percent}": cuts[percent - 1] for percent in PERCENTILES}


_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("requests", lambda record: f"{record['requests']:,}"),
    ("valid", lambda record: _share(record["valid"], record["requests"])),
    ("errors", lambda record: ", ".join(f"{n:,} {code}" for code, n in record["errors"].items()) or "0"),
    ("cache hits", lambda record: f"{record['cache_hits']:,}"),
    ("tokens", lambda record: f"{record['tokens']:,}"),
    ("prompt tokens", lambda record: f"{record['prompt_tokens']:,}"),
    ("of these cached", lambda record: _share(record["cached_prompt_tokens"], record["prompt_tokens"])),
    ("forward passes", lambda record: f"{record['forward_passes']:,}"),
    ("jump-forward tokens", lambda record: _share(record["jump_forward_tokens"], record["tokens"])),
    ("mask µs a token", lambda record: _number(record["mask_us_per_token"])),
    ("seconds", lambda record: _spread(record["seconds"])),
    ("tokens a second", lambda record: _spread(record["tokens_per_second"])),
    ("all together", lambda record: _number(record["throughput"])),
)
"""The lines of the table, and what each shows."""


def _table(columns: Sequence[tuple[str, _Tally]]) -> Iterable[Styled]:
    """A line for each row, a column for each engine."""
    cells = [
        [printable(name), *(show(record) for _, show in _ROWS)]
        for name, tally in columns
        for record in [tally.record()]
    ]
    titles = ["", *(title for title, _ in _ROWS)]
    widths = [max(map(len, column)) for column in cells]
    left = max(map(len, titles))
    for number, title in enumerate(titles):
        shown = "  ".join(column[number].ljust(width) for column, width in zip(cells, widths, strict=True))
        yield [(f"{title:<{left}}  ", ""), (shown, "" if number else "bold")]
    yield [(f"seconds and tokens a second: {' / '.join(f'p{percent}' for percent in PERCENTILES)} of requests", "dim")]


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _spread(percentiles: dict[str, float] | None) -> str:
    return "–" if percentiles is None else " / ".join(f"{value:,.2f}" for value in percentiles.values())


__all__ = ["traces"]
