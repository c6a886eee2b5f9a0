"""A step of the embedded model with transformers' cache and with ours: ``python -m benchmarks.bench_kv_cache``.

Both read the same random keys and values and the same tokens; rows have gaps, as jump-forward leaves them. They take
turns, so that a busy machine is busy for both. On random states no logits can be compared (they are chaotic): tests do.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from transformers import DynamicCache

from agentic_dsl.runtime.engines.embedded.kv_cache import write_in_place
from agentic_dsl.runtime.engines.transformers import TransformersEngine
from benchmarks.measure import heading

ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """One shape of a step: rows, tokens before it, new tokens of each row."""

    rows: int
    positions: int
    new: int


def cache_of(model: Any, case: Case) -> DynamicCache:
    """Transformers' cache with as many positions, all random."""
    config = model.config
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cache = DynamicCache(config=config)
    generator = torch.Generator().manual_seed(0)
    for layer in range(config.num_hidden_layers):
        shape = (case.rows, config.num_key_value_heads, case.positions, size)
        keys, values = (torch.randn(shape, generator=generator, dtype=model.dtype) for _ in range(2))
        cache.update(keys, values, layer)
    return cache


def step_of(model: Any, cache: DynamicCache, case: Case) -> Callable[[], None]:
    """One pass; the cache is as long as before afterwards."""
    ids = torch.arange(case.rows * case.new).view(case.rows, case.new) + 100
    mask = torch.ones(case.rows, case.positions + case.new, dtype=torch.long)
    mask[0, case.positions // 2] = 0
    places = (mask.cumsum(1) - 1)[:, -case.new :]

    def step() -> None:
        with torch.no_grad():
            model(input_ids=ids, attention_mask=mask, position_ids=places, past_key_values=cache, logits_to_keep=1)
        cache.crop(-case.new)

    return step


def compare(model: Any, attention: str, case: Case) -> tuple[list[float], list[float]]:
    """Milliseconds of each round, theirs and ours."""
    theirs = step_of(model, cache_of(model, case), case)
    ours = step_of(model, write_in_place(cache_of(model, case)), case)
    ways = (("sdpa", theirs), (attention, ours))
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for (name, step), mine in zip(ways, times, strict=True):
            model.set_attn_implementation(name)
            started = time.perf_counter()
            step()
            if number:  # the first round warms up
                mine.append((time.perf_counter() - started) * 1e3)
    return times


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--positions", type=int, default=2600)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--new", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    print(heading("A step, milliseconds: median (lowest–highest)", "torch", "transformers"))
    print(f"\n{options.positions:,} positions before it, {ROUNDS} rounds, {torch.get_num_threads()} thread(s)\n")
    print("| type | rows | new tokens a row | transformers' cache | in place | times |")
    print("|---|---|---|---|---|---|")
    for dtype in options.dtype:
        model: Any = TransformersEngine(options.model, dtype=dtype, device="cpu")._model
        attention = model.config._attn_implementation
        for rows, new in product(options.rows, options.new):
            theirs, ours = compare(model, attention, Case(rows, options.positions, new))
            factor = statistics.median(theirs) / statistics.median(ours)
            print(f"| {dtype} | {rows} | {new} | {_text(theirs)} | {_text(ours)} | {factor:.1f} |")
            gc.collect()


def _text(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ({min(times):.0f}–{max(times):.0f})"


if __name__ == "__main__":
    main()
