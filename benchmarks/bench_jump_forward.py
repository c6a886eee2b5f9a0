"""Jump-forward on and off, side by side: ``python -m benchmarks.bench_jump_forward [--tasks N] [--batch N…]``.

The demo's task and the first tasks of NESTFUL (where the data is, see `plan_tasks`), greedy. Both engines share one
model and take turns at every batch, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.engines.transformers import ModelLogits, TransformersEngine
from agentic_dsl.runtime.jobs import engine_request
from benchmarks.data import data_folder
from benchmarks.measure import heading
from benchmarks.plan_tasks import first_tasks

DEMO = "Find a hotel in Paris and tell the user its price."
BUDGET = 512


@dataclass
class Tally:
    """What one engine did."""

    tokens: int = 0
    passes: int = 0
    jumped: int = 0
    seconds: float = 0.0
    speeds: list[float] = field(default_factory=list)

    def add(self, results: Sequence[EngineResult]) -> None:
        """Counts the results of one call."""
        for result in results:
            if result.error is not None:
                raise result.error
        tokens = sum(result.stats.tokens for result in results)
        seconds = max(result.stats.seconds for result in results)
        self.tokens += tokens
        self.passes += sum(result.stats.forward_passes for result in results)
        self.jumped += sum(result.stats.jump_forward_tokens for result in results)
        self.seconds += seconds
        self.speeds.append(tokens / seconds)

    def text(self) -> str:
        """One line of the table."""
        speeds = sorted(self.speeds)
        return (
            f"{self.tokens:7,} tokens  {self.passes:7,} passes ({self.passes / self.tokens:.1%})  "
            f"{self.tokens / self.seconds:6.1f} tokens/s pooled, median {statistics.median(speeds):.1f} "
            f"({speeds[0]:.1f}–{speeds[-1]:.1f}, n={len(speeds)})"
        )


def tasks(count: int) -> list[tuple[str, Constraints]]:
    """The demo's task, and as many of NESTFUL as are asked for and there."""
    tools = json.loads((Path(__file__).resolve().parent.parent / "examples" / "tools.json").read_text("utf-8"))
    demo = Constraints(tools=tuple(ToolSpec(**tool) for tool in tools), max_nodes=5, max_output_tokens=BUDGET)
    if data_folder("nestful") is None:
        return [(DEMO, demo)]
    return [(DEMO, demo), *((task.text, task.constraints) for task in first_tasks(count))]


def compare(engines: dict[str, LocalEngine], batches: Sequence[Sequence[EngineRequest]]) -> dict[str, Tally]:
    """Every batch with every engine in turn; the first batch once more before, so that masks are there."""
    tallies = {name: Tally() for name in engines}
    for engine in engines.values():
        engine.generate(batches[0])
    for number, batch in enumerate(_shown(batches)):
        # Whoever is second finds warmer tables: they take turns.
        for name in list(engines)[:: -1 if number % 2 else 1]:
            tallies[name].add(engines[name].generate(batch))
    return tallies


def _shown(batches: Sequence[Sequence[EngineRequest]]) -> Iterable[Sequence[EngineRequest]]:
    """Progress on standard error, where that is a terminal."""
    return track(batches, "batches", console=Console(stderr=True), disable=not sys.stderr.isatty())


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], metavar="N", help="how many tasks at a time")
    options = parser.parse_args()
    shared = TransformersEngine(options.model)
    engines = {
        f"jump-forward {'on' if jumps else 'off'}": LocalEngine(
            shared.tokenizer,
            lambda _: ModelLogits(shared._model),
            context_tokens=shared.context_tokens,
            max_batch_size=max(options.batch),
            mask_store=None,
            jump_forward=jumps,
        )
        for jumps in (False, True)
    }
    asked = [engine_request(task, compile_spec(constraints)) for task, constraints in tasks(options.tasks)]
    print(heading(f"Jump-forward, {shared.name}", "torch", "transformers", "xgrammar"))
    for size in options.batch:
        batches = [asked[at : at + size] for at in range(0, len(asked), size)]
        tallies = compare(engines, batches)
        print(f"\n{len(asked)} tasks, {size} at a time")
        for name, tally in tallies.items():
            print(f"{name:16} {tally.text()}")
        off, on = tallies.values()
        print(f"{on.tokens / on.seconds * off.seconds / off.tokens:.2f} × the tokens per second")


if __name__ == "__main__":
    main()
