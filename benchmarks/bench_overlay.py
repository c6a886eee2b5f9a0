"""The semantic matcher's fill and accept on texts of its own, beside the plain grammar matcher's on the same tokens.

Usage: ``python benchmarks/bench_overlay.py [--tokenizer smollm2] [--nodes 20] [--budget N]``.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import numpy as np

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.runtime.masks import allocate_bitmask, compile_masks
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.constraint_sets import TOOLS
from benchmarks.measure import heading

WORDS = ("find the price of the flight", "a short summary for the user", "compare both results and choose one")


def document(plan: Plan, nodes: int, seed: int) -> bytes:
    """A valid text of about ``nodes`` nodes with texts of ordinary words, written under the tracker."""
    rng = random.Random(seed)
    frame, text = start(plan), bytearray()
    while not frame.is_final:
        if text.endswith(b'"') and not text.endswith((b'["', b', "')) and rng.random() < 0.7:
            phrase = rng.choice(WORDS).encode()
            if (after := feed(frame, phrase)) is not None:
                frame, text = after, text + phrase
                continue
        # Some tokenizers lack tokens for characters of private planes.
        following = bytes(byte for byte in frame.allowed() if byte < 0x80)
        if text.count(b"- id:") >= nodes:
            rest = finish(frame)
            return bytes(text + rest)
        weights = [30 if byte in b'"]\n' else 0.3 if byte in b"\\{" else 1 for byte in following]
        byte = rng.choices(following, weights)[0]
        after = frame.step(byte)
        assert after is not None  # it is allowed
        frame = after
        text.append(byte)
    return bytes(text)


def measure(make: Callable[[], Matcher], texts: list[list[int]], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """Microseconds of every fill and accept."""
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    fills: list[float] = []
    accepts: list[float] = []
    for tokens in texts:
        matcher = make()
        for token_id in tokens:
            started = time.perf_counter()
            matcher.fill_bitmask(bitmask, 0)
            filled = time.perf_counter()
            if not matcher.accept(token_id):
                raise AssertionError("a token of a valid text is refused")
            fills.append(filled - started)
            accepts.append(time.perf_counter() - filled)
    return {"fill": np.array(fills) * 1e6, "accept": np.array(accepts) * 1e6}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", default="smollm2")
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--texts", type=int, default=8)
    parser.add_argument("--budget", type=int)
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    constraints = Constraints(
        max_nodes=options.nodes,
        tools=TOOLS,
        context=ContextSignature(available_vars=["query", "user"], required_outputs=("answer",)),
    )
    plan = Plan.of(constraints)
    texts = [tokenizer.encode(document(plan, options.nodes, seed).decode()) for seed in range(options.texts)]
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    masks = compile_masks(compile_spec(constraints).grammar, tokenizer)
    print(heading("Semantic matcher", "xgrammar", "numpy"))
    print(
        f"{tokenizer.vocab_size:,} tokens; {len(texts)} texts, {sum(map(len, texts)):,} tokens; budget {options.budget}"
    )
    rows = {
        "grammar": masks.matcher,
        "semantic (cold tables)": lambda: SemanticMatcher(
            plan, tokenizer, overlay=overlay, max_output_tokens=options.budget
        ),
        "semantic": lambda: SemanticMatcher(plan, tokenizer, overlay=overlay, max_output_tokens=options.budget),
    }
    for name, make in rows.items():
        for what, micro in measure(make, texts, tokenizer).items():
            low, middle, high = np.percentile(micro, [10, 50, 99])
            print(
                f"{name:24} {what:7} median {middle:8.1f}  p10 {low:7.1f}  p99 {high:9.1f}  mean {micro.mean():8.1f} µs"
            )


if __name__ == "__main__":
    main()
