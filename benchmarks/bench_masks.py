"""Grammar and token masks for ten types and ten tools: ``python -m benchmarks.bench_masks``.

Prints what a request costs (lowering, emitting), what a vocabulary costs once (compiling), what the next request costs
(recompiling with warm rules), and what a token costs (filling its mask), over the tokens of realistic documents. The
baseline beside the fills is what any mask costs: writing one bit for each token of the vocabulary.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path

import numpy as np

from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.masks import MaskCompiler, allocate_bitmask
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.generated_documents import DOCUMENTS, TOOLS, catalogue
from benchmarks.measure import Timing, heading, timed

COUNTS = (5, 20, 200, 2000)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", action="append", help="a name, folder or file; SmolLM2 and Qwen by default")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    print(heading("Grammar and masks", "xgrammar", "tokenizers", "tiktoken"))
    for size in (10, 1000):
        print(f"{size:>5} tools: lower and emit        ", _emitted(size, arguments.repeats).text())
    for name in arguments.tokenizer or default_tokenizers():
        try:
            tokenizer = load_tokenizer(name)
        except AgenticDSLError as exc:
            print(f"{name}: left out: {exc}")
            continue
        measure(tokenizer, arguments.repeats)


def default_tokenizers() -> list[str]:
    """SmolLM2's vocabulary, and Qwen's where the package that carries it is installed."""
    found = ["smollm2"]
    spec = importlib.util.find_spec("dashscope")
    if spec is not None and spec.origin is not None:
        found.append(str(Path(spec.origin).parent / "resources" / "qwen.tiktoken"))
    return found


def measure(tokenizer: Tokenizer, repeats: int) -> None:
    """Prints the lines of one vocabulary."""
    print(f"\n{Path(tokenizer.name).name}: {tokenizer.vocab_size:,} tokens")
    text = compile(Constraints(tools=TOOLS)).grammar
    compilers = [MaskCompiler(tokenizer, max_threads=1) for _ in range(min(repeats, 5))]
    print("  compile                          ", timed(lambda c: c.compile(text), compilers).text())
    warm = compilers[0]
    paths = [compile(Constraints(tools=TOOLS, path=f"/dynamic/other_{n}")).grammar for n in range(repeats)]
    print("  recompile, another path          ", timed(warm.compile, paths).text())
    counts = [compile(Constraints(tools=TOOLS, max_nodes=30 + n)).grammar for n in range(repeats)]
    print("  recompile, another count         ", timed(warm.compile, counts).text())
    print("  floor: write a mask              ", _floor(tokenizer).text(1e6, "µs"))
    for most in COUNTS:
        grammar = compile(Constraints(tools=TOOLS, max_nodes=most)).grammar
        documents = [d for d in DOCUMENTS if d.count("  - id: ") <= most]
        means, fills = fill_times(warm, grammar, documents, repeats)
        spread = f"median {statistics.median(fills):.2f}, p99 {sorted(fills)[int(0.99 * len(fills))]:.1f}"
        print(f"  fill, max_nodes {most:<5} mean a token", means.text(1e6, "µs"), f"({spread}, {len(fills)} tokens)")


def _emitted(size: int, repeats: int) -> Timing:
    requests = [Constraints(tools=catalogue(size), path=f"/dynamic/p{n}") for n in range(repeats)]
    return timed(lambda constraints: emit_xgrammar(lower(constraints)), requests)


def _floor(tokenizer: Tokenizer) -> Timing:
    """Clearing and setting the mask's words, nothing else."""
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    return timed(lambda value: np.ndarray.fill(bitmask, value), [0, -1] * 50)


def fill_times(compiler: MaskCompiler, grammar: str, documents: list[str], repeats: int) -> tuple[Timing, list[float]]:
    """Fills the mask before every token of the documents.

    Returns:
        The mean time a token of each repeat, in seconds; and the median time of each token, in microseconds.
    """
    compiled = compiler.compile(grammar)
    bitmask = allocate_bitmask(1, compiled.vocab_size)
    texts = [compiler.tokenizer.encode(document) for document in documents]
    rounds: list[list[float]] = []
    for _ in range(repeats):
        times: list[float] = []
        for token_ids in texts:
            matcher = compiled.matcher()
            for token_id in token_ids:
                start = time.perf_counter()
                matcher.fill_bitmask(bitmask, 0)
                times.append(time.perf_counter() - start)
                if not matcher.accept(token_id):
                    raise AssertionError(f"token {token_id} of a valid document is refused")
        rounds.append(times)
    return (
        Timing(tuple(statistics.fmean(times) for times in rounds)),
        [statistics.median(token) * 1e6 for token in zip(*rounds, strict=True)],
    )


if __name__ == "__main__":
    main()
