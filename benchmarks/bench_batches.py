"""One batch of 8 against 8 calls one after the other: ``python -m benchmarks.bench_batches [--model M] [--rounds N]``.

Eight tasks with eight contracts, greedy, on the transformers engine; the batch comes from eight threads through
a `BatchQueue`, as it does in a service. Both ways take turns in every round, so that a busy machine is busy for both,
and both write the same contracts to the same limit; jump-forward is off on both sides, then on. What the prompts begin
with is in the cache of prefixes before either way is asked, as in a service that has run for a while; with ``--cold``
nothing is kept, and every round reads everything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.runtime.batching.queue import BatchQueue
from agentic_dsl.runtime.engines.base import BlockingEngine, Capabilities, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.engines.transformers import DEFAULT_PREFIX_BYTES, TransformersEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.prefill import prefill_all
from agentic_dsl.runtime.prompt_tokens import prompt_token_ids
from agentic_dsl.runtime.reparse import reparse
from benchmarks.measure import heading, markdown_table

TASKS = (
    "Find a hotel in Paris and tell the user its price.",
    "Find a cheap hotel in Lisbon.",
    "Look up the weather in Oslo and say whether to take an umbrella.",
    "Plan a weekend in Rome.",
    "Compare the prices of two hotels in Berlin.",
    "Book the best hotel in Madrid.",
    "Tell the user the time in Tokyo.",
    "Find a museum in Vienna that is open today.",
)


class SharedModel(BlockingEngine):
    """A model that several engines use, each with its own settings."""

    def __init__(self, shared: TransformersEngine, *, jumps: bool) -> None:
        """Keeps the model; nothing is loaded again."""
        self.name = shared.name
        self._engine = LocalEngine(
            shared.tokenizer,
            lambda _: ModelLogits(shared._model, shared.prefixes),
            context_tokens=shared.context_tokens,
            max_batch_size=len(TASKS),
            mask_store=None,
            jump_forward=jumps,
        )

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`."""
        return self._engine.capabilities

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        return self._engine.generate(requests, on_token=on_token)


@dataclass
class Tally:
    """What one way of asking did, a number a round."""

    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    passes: int = 0
    valid: int = 0

    @property
    def speeds(self) -> list[float]:
        """Tokens a second, lowest first."""
        return sorted(tokens / seconds for tokens, seconds in zip(self.tokens, self.seconds, strict=True))

    def add(self, seconds: float, results: Sequence[EngineResult], asked: Sequence[EngineRequest]) -> None:
        """Counts one round."""
        for result, request in zip(results, asked, strict=True):
            if result.error is not None:
                raise result.error
            assert request.spec is not None, "every task has a contract"
            answer = reparse(result.text, request.spec.constraints, complete=result.finish == "stop")
            self.valid += answer.valid
        self.seconds.append(seconds)
        self.tokens.append(sum(result.stats.tokens for result in results))
        self.passes += sum(result.stats.forward_passes for result in results)


def contracts(limit: int) -> list[Constraints]:
    """Eight contracts that differ in path, types, tools and counts."""
    text = (Path(__file__).resolve().parent.parent / "examples" / "tools.json").read_text("utf-8")
    tools = tuple(ToolSpec(**tool) for tool in json.loads(text))
    return [
        Constraints(
            path=f"/dynamic/task_{number}",
            tools=tools[: 1 + number % len(tools)],
            min_nodes=3 + number % 2,
            max_nodes=4 + number % 3,
            max_output_tokens=limit,
            allowed_node_types=("tool_call", "assign", "end", *(("dsl_call",) if number % 2 else ())),
        )
        for number in range(len(TASKS))
    ]


def asked_serially(engine: SharedModel, asked: Sequence[EngineRequest]) -> list[EngineResult]:
    """One call after the other."""
    return [engine.generate([request])[0] for request in asked]


def asked_through_queue(engine: SharedModel, asked: Sequence[EngineRequest]) -> list[EngineResult]:
    """As many callers as requests, each with one."""
    queue = BatchQueue(engine, max_batch_size=len(asked), max_wait=0.1)
    try:
        with ThreadPoolExecutor(len(asked)) as pool:
            results = list(pool.map(lambda request: queue.generate([request])[0], asked))
        if queue.stats.batches != 1:
            raise RuntimeError(f"{queue.stats.batches} batches instead of one")
    finally:
        queue.close()
    return results


Way = Callable[[SharedModel, Sequence[EngineRequest]], list[EngineResult]]
WAYS: dict[str, Way] = {"8 calls, one by one": asked_serially, "one batch of 8": asked_through_queue}


def compare(engine: SharedModel, asked: Sequence[EngineRequest], rounds: int) -> dict[str, Tally]:
    """Every round both ways, whoever was second the first in the next; one call before, so that tables are there."""
    engine.generate(asked[:1])
    tallies = {name: Tally() for name in WAYS}
    for number in range(rounds):
        for name in list(WAYS)[:: -1 if number % 2 else 1]:
            started = time.perf_counter()
            results = WAYS[name](engine, asked)
            tallies[name].add(time.perf_counter() - started, results, asked)
    return tallies


def rows_of(jumps: str, tallies: dict[str, Tally]) -> list[list[str]]:
    """The lines of the table, the ratio of the medians with the ratios of the rounds in the last."""
    serial, batch = tallies.values()
    pairs = zip(serial.tokens, serial.seconds, batch.tokens, batch.seconds, strict=True)
    ratios = sorted((there / then) / (here / now) for here, now, there, then in pairs)
    ratio = f"**{statistics.median(ratios):.2f} ×** ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    rows = []
    for name, tally in tallies.items():
        speeds = tally.speeds
        rows.append(
            [
                jumps,
                name,
                f"{statistics.median(tally.tokens):,.0f}",
                f"{tally.passes / len(tally.tokens):,.0f}",
                f"{tally.valid} of {len(tally.tokens) * len(TASKS)}",
                f"{statistics.median(speeds):.1f} ({speeds[0]:.1f}–{speeds[-1]:.1f}, n={len(speeds)})",
                ratio if tally is batch else "",
            ]
        )
    return rows


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256, help="the limit of each answer")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--cold", action="store_true", help="keep no prefixes between calls")
    parser.add_argument("--jump-forward", choices=("off", "on"), nargs="+", default=["off", "on"])
    options = parser.parse_args()
    room = 0 if options.cold else DEFAULT_PREFIX_BYTES
    shared = TransformersEngine(options.model, dtype=options.dtype, prefix_cache_bytes=room)
    asked = [
        engine_request(task, compile_spec(wanted))
        for task, wanted in zip(TASKS, contracts(options.tokens), strict=True)
    ]
    print(heading(f"Batches, {shared.name}, {options.dtype}", "torch", "transformers", "xgrammar"))
    if not options.cold:
        prefill_all(shared, [request.prompt for request in asked])
    prompts = [len(prompt_token_ids(request.prompt, shared.tokenizer)) for request in asked]
    rows: list[list[str]] = []
    for setting in options.jump_forward:
        rows += rows_of(setting, compare(SharedModel(shared, jumps=setting == "on"), asked, options.rounds))
    header = ["jump-forward", "asked as", "tokens a round", "passes a round", "valid", "tokens/s", "throughput"]
    kept = "nothing kept" if options.cold else "their beginnings read before"
    print(f"prompts of {min(prompts)} to {max(prompts)} tokens, {kept}\n\n{markdown_table(header, rows)}")


if __name__ == "__main__":
    main()
