"""What the semantic matcher costs: ``python -m benchmarks.bench_overlay [TOKENIZER…] [--spare N]``.

The same documents, token by token, through three matchers in one process: xgrammar and llguidance with the grammar
alone, and the semantic matcher, which enforces every rule. A fill and an acceptance are timed for each token; the
median of several rounds is a token's time. ``--spare`` gives it a token budget: those of the document and so many more.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler
from agentic_dsl.runtime.masks import allocate_bitmask, compile_masks
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.bench_masks import default_tokenizers
from benchmarks.documents import block
from benchmarks.generated_documents import TOOLS
from benchmarks.measure import heading

PATH = "/dynamic/plan"
SIZES = (20, 200)
TEXTS = {20: 8, 200: 2}
"""Documents of each size, all with other names."""

Micros = npt.NDArray[np.float64]


def main() -> None:
    """Prints one table for each tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", nargs="*", help="names, folders or files; SmolLM2 and Qwen by default")
    parser.add_argument("--spare", type=int, help="a budget of the document's tokens and so many more")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(heading("The semantic matcher beside grammar matchers", "xgrammar", "llguidance", "numpy"))
    for name in options.tokenizer or default_tokenizers():
        try:
            tokenizer = load_tokenizer(name)
        except AgenticDSLError as exc:
            print(f"{name}: left out: {exc}")
            continue
        compare(tokenizer, options.spare, options.rounds)


def compare(tokenizer: Tokenizer, spare: int | None, rounds: int) -> None:
    """Prints the table of one tokenizer."""
    budget = "no budget" if spare is None else f"{spare} tokens to spare"
    print(f"\n{Path(tokenizer.name).name}: {tokenizer.vocab_size:,} tokens, {budget}")
    started = time.perf_counter()
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    print(f"  vocabulary tree, once a tokenizer: {time.perf_counter() - started:.2f} s")
    for nodes in SIZES:
        texts = [tokenizer.encode(_document(nodes, salt)) for salt in range(TEXTS[nodes])]
        constraints = _constraints(nodes)
        print(f"  {nodes} nodes: {len(texts)} documents, {sum(map(len, texts)):,} tokens, median of {rounds} rounds")
        for name, make in _matchers(
            tokenizer, constraints, overlay, [None if spare is None else len(t) + 1 + spare for t in texts]
        ).items():
            _print(name, *measure(make, texts, tokenizer, rounds))


def _constraints(nodes: int) -> list[Constraints]:
    """One contract for each document: the names in their signatures differ."""
    names = [f"(topic_{salt * (nodes // 5)}: string, reader: object) -> ()" for salt in range(TEXTS[nodes])]
    return [Constraints(path=PATH, max_nodes=nodes, tools=TOOLS, signature=name) for name in names]


def _document(nodes: int, salt: int) -> str:
    return block(PATH, nodes, salt=salt)


def _matchers(
    tokenizer: Tokenizer, constraints: Sequence[Constraints], overlay: Overlay, budgets: Sequence[int | None]
) -> dict[str, list[Callable[[], Matcher]]]:
    """For each name what makes a matcher of each document."""
    masks = [compile_masks(compile_spec(c).grammar, tokenizer) for c in constraints]
    ours = LlguidanceCompiler(tokenizer)
    larks = [emit_llguidance(lower(c)) for c in constraints]
    plans = [Plan.of(c) for c in constraints]
    return {
        "xgrammar": [mask.matcher for mask in masks],
        "llguidance": [partial(ours.matcher, lark) for lark in larks],
        "semantic": [
            partial(SemanticMatcher, plan, tokenizer, overlay=overlay, max_output_tokens=budget)
            for plan, budget in zip(plans, budgets, strict=True)
        ],
    }


def measure(
    makers: Sequence[Callable[[], Matcher]], texts: Sequence[Sequence[int]], tokenizer: Tokenizer, rounds: int
) -> tuple[Micros, Micros]:
    """Microseconds of every fill and of every accept, each the median of the rounds; the first round warms up."""
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    fills: list[list[float]] = []
    accepts: list[list[float]] = []
    for _ in range(rounds + 1):
        fill: list[float] = []
        accept: list[float] = []
        # What is there stays out of collections, as in servers, so that these find only what the matchers leave.
        gc.collect()
        gc.freeze()
        for make, tokens in zip(makers, texts, strict=True):
            matcher = make()
            for token_id in tokens:
                started = time.perf_counter()
                matcher.fill_bitmask(bitmask, 0)
                filled = time.perf_counter()
                accepted = matcher.accept(token_id)
                accept.append(time.perf_counter() - filled)
                fill.append(filled - started)
                if not accepted:
                    raise AssertionError(f"token {token_id} of a valid document is refused")
        fills.append(fill)
        accepts.append(accept)
    return _medians(fills[1:]), _medians(accepts[1:])


def _medians(rounds: list[list[float]]) -> Micros:
    return np.array([statistics.median(token) for token in zip(*rounds, strict=True)]) * 1e6


def _print(name: str, fill: Micros, accept: Micros) -> None:
    columns = []
    for what, times in (("fill", fill), ("accept", accept), ("both", fill + accept)):
        middle, high = np.percentile(times, [50, 99])
        columns.append(f"{what}: median {middle:6.2f}, mean {times.mean():6.2f}, p99 {high:7.1f}")
    print(f"    {name:12}" + " · ".join(columns) + " µs")


if __name__ == "__main__":
    main()
