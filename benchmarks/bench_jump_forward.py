"""Jump-forward on and off, side by side: ``python -m benchmarks.bench_jump_forward [--model M] [--tasks N]``.

The demo's task and tasks of NESTFUL (where the data is) with tools of its catalogue, greedy, one at a time and then
in batches. Both engines share one model and take turns at every task, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.engines.transformers import ModelLogits, TransformersEngine
from agentic_dsl.runtime.jobs import engine_request
from benchmarks.data import data_folder, read_json
from benchmarks.measure import heading
from benchmarks.nestful_catalogue import normalise_catalogue
from benchmarks.nestful_plans import Plan, constraints_of, defects

DEMO = "Find a hotel in Paris and tell the user its price."
BUDGET = 512
NAMED_TOOLS = 8
"""Tools in the catalogue of one NESTFUL task: those of its plan, then others up to this many."""


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
    found = [(DEMO, demo)]
    folder = data_folder("nestful")
    if folder is None:
        return found
    catalogue = normalise_catalogue(read_json(folder / "executable-spec.json"))
    for record in read_json(folder / "executable-data.json"):
        plan = Plan.of(record)
        if len(found) > count:
            break
        if not list(defects(plan, catalogue)):
            found.append((plan.task, _constraints(plan, catalogue)))
    return found


def _constraints(plan: Plan, catalogue: tuple[ToolSpec, ...]) -> Constraints:
    called = {call["name"] for call in plan.calls}
    ordered = sorted(catalogue, key=lambda tool: (tool.name not in called, tool.name))
    chosen = tuple(ordered[: max(NAMED_TOOLS, len(called))])
    return constraints_of(plan, chosen).model_copy(update={"max_output_tokens": BUDGET})


def compare(engines: dict[str, LocalEngine], batches: Sequence[Sequence[EngineRequest]]) -> dict[str, Tally]:
    """Every batch with every engine in turn; the first batch once more before, so that masks are there."""
    tallies = {name: Tally() for name in engines}
    for engine in engines.values():
        engine.generate(batches[0])
    for number, batch in enumerate(batches):
        # Whoever is second finds warmer tables: they take turns.
        for name in list(engines)[:: -1 if number % 2 else 1]:
            tallies[name].add(engines[name].generate(batch))
    return tallies


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    shared = TransformersEngine(options.model)
    engines = {
        f"jump-forward {'on' if jumps else 'off'}": LocalEngine(
            shared.tokenizer,
            lambda _: ModelLogits(shared._model),
            context_tokens=shared.context_tokens,
            max_batch_size=options.batch,
            mask_store=None,
            jump_forward=jumps,
        )
        for jumps in (False, True)
    }
    asked = [engine_request(task, compile_spec(constraints)) for task, constraints in tasks(options.tasks)]
    print(heading(f"Jump-forward, {shared.name}", "torch", "transformers", "xgrammar"))
    for size in sorted({1, options.batch}):
        batches = [asked[at : at + size] for at in range(0, len(asked), size)]
        tallies = compare(engines, batches)
        print(f"\n{len(asked)} tasks, {size} at a time")
        for name, tally in tallies.items():
            print(f"{name:16} {tally.text()}")
        off, on = tallies.values()
        print(f"{on.tokens / on.seconds * off.seconds / off.tokens:.2f} × the tokens per second")


if __name__ == "__main__":
    main()
