"""Random walks under the semantic matcher: every answer must be complete, within its budget and valid.

Usage: ``python benchmarks/random_walks.py [--tokenizer bytes] [--walks 200] [--seed 0]``. Half of the walks have
closing tokens boosted, some are biased to growth. Prints versions, counts and the time of fill and accept.
"""

from __future__ import annotations

import argparse
import platform
import random
import time
from dataclasses import dataclass, field

import numpy as np

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format import format_document
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.constraint_sets import sample

CLOSING = frozenset(b'"}])\n')
GROWING = frozenset(b", ")
BUDGETS = (0, 0, 1, 3, 10, 30, 100, 300)
"""Tokens beyond the minimum."""

MOST_TOKENS = 20_000
"""A walk without a budget of its own gets this one, or it need not end."""


@dataclass
class Tally:
    """What came out of the walks."""

    walks: int = 0
    refused: int = 0
    tokens: int = 0
    fills: list[float] = field(default_factory=list)
    accepts: list[float] = field(default_factory=list)


def bias_of(tokenizer: Tokenizer, kind: str) -> np.ndarray:
    """What is added to random logits: nothing, or a boost of tokens that close or grow."""
    bias = np.zeros(tokenizer.vocab_size)
    chars = {"closing": CLOSING, "growing": GROWING}.get(kind)
    for token_id, token in enumerate(tokenizer.vocabulary.tokens):
        if chars and token and chars.issuperset(token):
            bias[token_id] = 6.0
    return bias


def walk(
    matcher: SemanticMatcher, tokenizer: Tokenizer, bias: np.ndarray, seed: int, tally: Tally
) -> tuple[bytes, int]:
    """One answer of random logits, and its number of tokens.

    Raises:
        AssertionError: no token was allowed, or an allowed one was not accepted.
    """
    rng = np.random.default_rng(seed)
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    text, count = bytearray(), 0
    while not matcher.is_terminated():
        started = time.perf_counter()
        matcher.fill_bitmask(bitmask, 0)
        tally.fills.append(time.perf_counter() - started)
        allowed = np.flatnonzero(np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[: tokenizer.vocab_size])
        if not len(allowed):
            raise AssertionError(f"dead end after {bytes(text[-200:])!r}")
        token_id = int(allowed[(rng.gumbel(size=len(allowed)) + bias[allowed]).argmax()])
        started = time.perf_counter()
        if not matcher.accept(token_id):
            raise AssertionError(f"an allowed token is refused after {bytes(text[-200:])!r}")
        tally.accepts.append(time.perf_counter() - started)
        text += tokenizer.token_bytes(token_id) or b""
        count += 1
    return bytes(text), count


def judge(text: bytes, constraints: Constraints) -> None:
    """Raises where an answer is not valid, or not in the generated form."""
    document = parse(text.decode())
    errors = [finding for finding in check(document, constraints=constraints, mode="strict") if finding.is_error]
    if errors:
        raise AssertionError(f"{errors[0].message}\n{text.decode()}")
    if format_document(document) != text.decode():
        raise AssertionError(f"not in canonical form:\n{text.decode()}")


def run(tokenizer: Tokenizer, walks: int, seed: int) -> Tally:
    """Walks until ``walks`` answers are complete, valid and within budget."""
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    biases = {kind: bias_of(tokenizer, kind) for kind in ("none", "closing", "growing")}
    tally = Tally()
    while tally.walks < walks:
        rng = random.Random(seed)
        constraints = sample(rng)
        try:
            plan = Plan.of(constraints)
        except ConstraintError:
            tally.refused += 1
            seed += 1
            continue
        budget = minimum_tokens(plan, tokenizer) + rng.choice(BUDGETS)
        matcher = SemanticMatcher(plan, tokenizer, max_output_tokens=budget, overlay=overlay)
        kind = rng.choice(["closing", "closing", "none", "growing"])
        try:
            text, count = walk(matcher, tokenizer, biases[kind], seed, tally)
            if count > budget:
                raise AssertionError(f"{count} tokens, the budget is {budget}")
            judge(text, constraints)
        except AssertionError as exc:
            raise AssertionError(f"seed {seed}: {exc}\n{constraints.canonical_json}") from exc
        tally.walks += 1
        tally.tokens += count
        seed += 1
    return tally


def main() -> None:
    """Runs the walks that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", default="bytes")
    parser.add_argument("--walks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    started = time.perf_counter()
    tally = run(tokenizer, options.walks, options.seed)
    print(f"Python {platform.python_version()}, {platform.machine()}, {tokenizer.vocab_size:,} tokens")
    print(f"{tally.walks} walks complete, within budget and valid; {tally.refused} constraint sets refused")
    print(f"{tally.tokens:,} tokens in {time.perf_counter() - started:.1f} s")
    for name, times in (("fill", tally.fills), ("accept", tally.accepts)):
        micro = np.array(times) * 1e6
        low, middle, high = np.percentile(micro, [10, 50, 99])
        print(f"{name}: median {middle:.1f} µs, p10 {low:.1f}, p99 {high:.1f}, mean {micro.mean():.1f}")


if __name__ == "__main__":
    main()
