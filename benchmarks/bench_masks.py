"""Grammar and token masks for ten types and ten tools: ``python -m benchmarks.bench_masks``.

Prints what a request costs (lowering, emitting), what a vocabulary costs once (compiling, or loading what was compiled
before from the mask store), what the next request costs (recompiling with warm rules), and what a token costs (filling
its mask), over the tokens of realistic documents. The baseline beside the fills is what any mask costs: writing one bit
for each token of the vocabulary. Cold compiles and loads have a `MaskCompiler` of their own each time, so nothing is
warm in memory; files of the store are in the page cache of the operating system, as they are after the first request.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.masks import MaskCompiler, Origin, allocate_bitmask
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.generated_documents import DOCUMENTS, TOOLS, catalogue
from benchmarks.measure import Timing, heading, markdown_table, timed

COUNTS = (5, 20, 200, 2000)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", action="append", help="a name, folder or file; SmolLM2 and Qwen by default")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    print(heading("Grammar and masks", "xgrammar", "tokenizers", "tiktoken"), end="\n\n")
    emitted = [(f"lower and emit, {size:,} tools", _emitted(size, arguments.repeats).text()) for size in (10, 1000)]
    print(markdown_table(("grammar", "median (range)"), emitted), end="\n\n", flush=True)
    columns = {}
    for name in arguments.tokenizer or default_tokenizers():
        try:
            tokenizer = load_tokenizer(name)
        except AgenticDSLError as exc:
            print(f"{name}: left out: {exc}", file=sys.stderr)
            continue
        title = f"{Path(tokenizer.name).name}, {tokenizer.vocab_size:,} tokens"
        columns[title] = dict(measurements(tokenizer, arguments.repeats))
    if columns:
        labels = next(iter(columns.values()))
        rows = ([label, *(column[label] for column in columns.values())] for label in labels)
        print(markdown_table(("masks", *columns), rows))


def default_tokenizers() -> list[str]:
    """SmolLM2's vocabulary, and Qwen's where the package that carries it is installed."""
    found = ["smollm2"]
    spec = importlib.util.find_spec("dashscope")
    if spec is not None and spec.origin is not None:
        found.append(str(Path(spec.origin).parent / "resources" / "qwen.tiktoken"))
    return found


def measurements(tokenizer: Tokenizer, repeats: int) -> Iterator[tuple[str, str]]:
    """What was measured with one vocabulary, and the figures.

    Args:
        tokenizer: the vocabulary.
        repeats: how often recompiling and filling are measured; compiling and loading at most five times.
    """
    cold = min(repeats, 5)
    yield "floor: write a mask", _floor(tokenizer).text(1e6, "µs")
    MaskCompiler(tokenizer, max_threads=1)  # imports xgrammar
    yield "view of the vocabulary", timed(lambda t: MaskCompiler(t, max_threads=1), [tokenizer] * cold).text()
    grammars = {
        "without a count": compile(Constraints(tools=TOOLS), count_in_grammar=False).grammar,
        "`node{1,20}`": compile(Constraints(tools=TOOLS, max_nodes=20)).grammar,
        "`node{1,2000}`": compile(Constraints(tools=TOOLS, max_nodes=2000)).grammar,
    }
    for label, text in grammars.items():
        compiled, loaded, nbytes = store_times(tokenizer, text, cold)
        yield f"compile, {label}", compiled.text()
        yield f"load from the store, {label}", f"{loaded.text()}, {nbytes / 2**20:.1f} MiB"
    warm = MaskCompiler(tokenizer, max_threads=1)
    warm.compile(compile(Constraints(tools=TOOLS)).grammar)
    paths = [compile(Constraints(tools=TOOLS, path=f"/dynamic/other_{n}")).grammar for n in range(repeats)]
    yield "recompile, another path", timed(warm.compile, paths).text()
    counts = [compile(Constraints(tools=TOOLS, max_nodes=30 + n)).grammar for n in range(repeats)]
    yield "recompile, another count", timed(warm.compile, counts).text()
    for most in COUNTS:
        grammar = compile(Constraints(tools=TOOLS, max_nodes=most)).grammar
        documents = [d for d in DOCUMENTS if d.count("  - id: ") <= most]
        means, fills = fill_times(warm, grammar, documents, repeats)
        p99 = sorted(fills)[int(0.99 * len(fills))]
        yield f"fill, mean a token, `max_nodes` {most:,}", f"{means.text(1e6, 'µs')}; p99 {p99:.1f}"


def store_times(tokenizer: Tokenizer, grammar: str, repeats: int) -> tuple[Timing, Timing, int]:
    """A cold compile beside a load from the mask store, each by a compiler of its own.

    Returns:
        The times of compiling and of loading, and the size of the stored file in bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = MaskStore(Path(folder))
        MaskCompiler(tokenizer, store=store, max_threads=1).compile(grammar)
        [entry] = store.ls()
        compiled = timed(
            lambda compiler: come_from("compiled", compiler, grammar),
            (MaskCompiler(tokenizer, max_threads=1) for _ in range(repeats)),
        )
        loaded = timed(
            lambda compiler: come_from("store", compiler, grammar),
            (MaskCompiler(tokenizer, store=store, max_threads=1) for _ in range(repeats)),
        )
    return compiled, loaded, entry.nbytes


def come_from(origin: Origin, compiler: MaskCompiler, grammar: str) -> None:
    """Compiles, and refuses to measure something else than what the line says."""
    found = compiler.compile(grammar).origin
    if found != origin:
        raise AssertionError(f"the masks come from {found} instead of {origin}")


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
