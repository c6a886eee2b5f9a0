"""Jump-forward on and off, side by side: ``python -m benchmarks.bench_jump_forward [--tasks N] [--batch N…]``.

The demo's task and the first tasks of NESTFUL (where the data is, see `plan_tasks`), greedy. Both engines share one
model and take turns at every batch, so that a busy machine is busy for both. What prompts begin with (system text,
catalogue, examples) is in the cache of prefixes before either is asked, as wherever tools are used twice; the last
line adds the time of reading it to both sides. Takes half a minute a task: ``--results`` and ``--part`` split it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.engines.transformers import TransformersEngine
from agentic_dsl.runtime.jobs import engine_request
from benchmarks.data import data_folder
from benchmarks.measure import heading
from benchmarks.plan_tasks import first_tasks

DEMO = "Find a hotel in Paris and tell the user its price."
BUDGET = 512

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Record:
    """What one engine did with one batch.

    Attributes:
        batch: its number.
        size: how many tasks are asked at a time.
        engine: on or off.
        tokens: of the answers.
        passes: of the model, of all rows.
        seconds: from the batch's start to its last row's end.
        reading: seconds that the prompts' beginnings took before.
    """

    batch: int
    size: int
    engine: str
    tokens: int
    passes: int
    seconds: float
    reading: float

    @classmethod
    def of(cls, number: int, size: int, engine: str, results: Sequence[EngineResult], reading: float) -> Record:
        """Counts the results of one call."""
        for result in results:
            if result.error is not None:
                raise result.error
        stats = [result.stats for result in results]
        tokens, passes = sum(one.tokens for one in stats), sum(one.forward_passes for one in stats)
        return cls(number, size, engine, tokens, passes, max(one.seconds for one in stats), reading)


def described(records: Sequence[Record]) -> str:
    """One line of the table."""
    tokens, passes = sum(one.tokens for one in records), sum(one.passes for one in records)
    speeds = sorted(one.tokens / one.seconds for one in records)
    return (
        f"{tokens:7,} tokens  {passes:7,} passes ({passes / tokens:.1%})  {speed(records):6.1f} tokens/s pooled, "
        f"median {statistics.median(speeds):.1f} ({speeds[0]:.1f}–{speeds[-1]:.1f}, n={len(speeds)})"
    )


def speed(records: Sequence[Record], *, with_reading: bool = False) -> float:
    """Tokens per second over all batches."""
    seconds = sum(one.seconds + (one.reading if with_reading else 0.0) for one in records)
    return sum(one.tokens for one in records) / seconds


def tasks(count: int) -> list[tuple[str, Constraints]]:
    """The demo's task, and as many of NESTFUL as are asked for and there."""
    tools = json.loads((Path(__file__).resolve().parent.parent / "examples" / "tools.json").read_text("utf-8"))
    demo = Constraints(tools=tuple(ToolSpec(**tool) for tool in tools), max_nodes=5, max_output_tokens=BUDGET)
    if data_folder("nestful") is None:
        return [(DEMO, demo)]
    return [(DEMO, demo), *((task.text, task.constraints) for task in first_tasks(count))]


def compare(
    shared: TransformersEngine, engines: dict[str, LocalEngine], batches: dict[int, Sequence[EngineRequest]], size: int
) -> Iterator[Record]:
    """Every batch with every engine in turn; the first batch once more before, so that masks are there."""
    for engine in engines.values() if batches else ():
        engine.generate(next(iter(batches.values())))
    for number, batch in _shown(list(batches.items())):
        reading = sum(shared.prefill(request.prompt).seconds for request in batch)
        # Whoever is second finds warmer tables: they take turns.
        for name in list(engines)[:: -1 if number % 2 else 1]:
            yield Record.of(number, size, name, engines[name].generate(batch), reading)


def _shown(batches: Sequence[_Item]) -> Iterable[_Item]:
    """Progress on standard error, where that is a terminal."""
    return track(batches, "batches", console=Console(stderr=True), disable=not sys.stderr.isatty())


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], metavar="N", help="how many tasks at a time")
    parser.add_argument("--results", type=Path, help="a JSON Lines file that keeps what was measured, and goes on")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="measure only every N-th batch, from the I-th on")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.part.split("/"))
    shared = TransformersEngine(options.model)
    engines = {
        jumps: LocalEngine(
            shared.tokenizer,
            lambda _: ModelLogits(shared._model, shared.prefixes),
            context_tokens=shared.context_tokens,
            max_batch_size=max(options.batch),
            mask_store=None,
            jump_forward=jumps == "on",
        )
        for jumps in ("off", "on")
    }
    asked = [engine_request(task, compile_spec(constraints)) for task, constraints in tasks(options.tasks)]
    print(heading(f"Jump-forward, {shared.name}", "torch", "transformers", "xgrammar"))
    for size in options.batch:
        records = _kept(options.results, size)
        known = {(one.batch, one.engine) for one in records}
        batches = {
            number: asked[number * size : (number + 1) * size]
            for number in range(part - 1, -(-len(asked) // size), parts)
            if not {(number, name) for name in engines} <= known
        }
        for record in compare(shared, engines, batches, size):
            records.append(record)
            if options.results is not None:
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record)) + "\n")
        show(_kept(options.results, size) if options.results is not None else records, size)


def show(records: Sequence[Record], size: int) -> None:
    """Prints what both engines did with the batches that both have answered."""
    by = {name: {one.batch: one for one in records if one.engine == name} for name in ("off", "on")}
    both = sorted(by["off"].keys() & by["on"].keys())
    off, on = ([by[name][number] for number in both] for name in ("off", "on"))
    print(f"\n{len(both)} batches of up to {size}")
    print(f"jump-forward off {described(off)}")
    print(f"jump-forward on  {described(on)}")
    print(f"{speed(on) / speed(off):.2f} × the tokens per second")
    whole = speed(on, with_reading=True) / speed(off, with_reading=True)
    print(f"{whole:.2f} × with the reading of the prompts' beginnings in it")


def _kept(path: Path | None, size: int) -> list[Record]:
    if path is None or not path.exists():
        return []
    records = (Record(**json.loads(line)) for line in path.read_text("utf-8").splitlines())
    return [one for one in records if one.size == size]


if __name__ == "__main__":
    main()
