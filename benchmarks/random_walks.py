"""Random walks under the semantic matcher: every answer must be complete, within its budget, valid and canonical.

Usage: ``python -m benchmarks.random_walks --tokenizer smollm2 --walks 10000 [--jobs 2] [--results FILE]``.

A walk is a number: it says the constraint set (`constraint_sets.constraint_set`) and the seed. Budgets go from the
exact minimum upward. Half of the walks boost closing tokens; the others are unbiased, grow, or mostly follow the
completion policy. What goes wrong is reported with the command that repeats it, and the exit code is 1. With
``--results``, walks that a file holds already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar.prose import is_prose
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.format import format_document
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.constraint_sets import SETS, constraint_set
from benchmarks.measure import heading

CLOSING = frozenset(b'"}])\n')
GROWING = frozenset(b", ")
KINDS = ("closing", "closing", "none", "closing", "growing", "closing", "policy", "none")
"""What a walk likes, by its number: half of the walks boost closing tokens."""

SPARE = (0, 1, 2, 5, 20, 60, 150, 300)
"""Tokens beyond the minimum; a walk draws one."""

_BOOST = 400.0
"""How much likelier a boosted token is than another one: six more in its logit."""

_POLICY_SHARE = 0.7
"""How often a walk that likes the policy follows it."""


@dataclass(frozen=True)
class Walk:
    """What came out of one walk.

    Attributes:
        number: which walk.
        kind: what it liked.
        tokens: of the answer, end token included.
        budget: the most it might have.
        fill: seconds for all masks.
        accept: seconds for all tokens.
        error: what went wrong, empty for a good one.
    """

    number: int
    kind: str
    tokens: int
    budget: int
    fill: float
    accept: float
    error: str = ""


class WalkError(AssertionError):
    """What a walk must never come to."""


class Walker:
    """Walks over one vocabulary; tables of the vocabulary and plans are made once."""

    def __init__(self, tokenizer: Tokenizer, spare: Sequence[int] = SPARE) -> None:
        """``spare`` is what budgets may have beyond the minimum."""
        self.tokenizer, self.spare = tokenizer, spare
        self.overlay = Overlay(trie_of(tokenizer.vocabulary))
        self.boosted = {"closing": _made_of(tokenizer, CLOSING), "growing": _made_of(tokenizer, GROWING)}
        self.ids = {token: token_id for token_id, token in enumerate(tokenizer.vocabulary.tokens) if token}
        self.longest = max(map(len, self.ids))
        self._plan = cache(lambda number: Plan.of(constraint_set(number)))
        self._minimum = cache(lambda number: minimum_tokens(self._plan(number), tokenizer))

    def walk(self, number: int, chosen: int | None = None) -> Walk:
        """One walk, judged; through the set that its number says, or another one."""
        chosen = number % SETS if chosen is None else chosen
        rng = random.Random(number)
        kind = KINDS[(number // SETS + number) % len(KINDS)]
        tokens = budget = 0
        times = [0.0, 0.0]
        error = ""
        try:
            plan = self._plan(chosen)
            budget = self._minimum(chosen) + rng.choice(self.spare)
            matcher = SemanticMatcher(plan, self.tokenizer, max_output_tokens=budget, overlay=self.overlay)
            ids = self._answer(matcher, kind, rng, times)
            tokens = len(ids)
            if tokens > budget:
                raise WalkError(f"{tokens} tokens, the budget is {budget}")
            judge(b"".join(self.tokenizer.token_bytes(token_id) or b"" for token_id in ids), plan.constraints)
        except Exception as exc:  # whatever it is, it is reported with the walk's number
            error = f"{type(exc).__name__}: {exc}"
        return Walk(number, kind, tokens, budget, times[0], times[1], error)

    def _answer(self, matcher: SemanticMatcher, kind: str, rng: random.Random, times: list[float]) -> list[int]:
        """Tokens up to the end token, each drawn from the mask before it."""
        size = self.tokenizer.vocab_size
        bitmask = allocate_bitmask(1, size)
        ids: list[int] = []
        while not matcher.is_terminated():
            started = time.perf_counter()
            matcher.fill_bitmask(bitmask, 0)
            filled = time.perf_counter()
            mask = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")[:size]
            token_id = self._draw(matcher, mask, kind, rng)
            began = time.perf_counter()
            if not matcher.accept(token_id):
                raise WalkError(f"token {token_id} is in the mask and refused after {_end(self.tokenizer, ids)}")
            times[0] += filled - started
            times[1] += time.perf_counter() - began
            ids.append(token_id)
        return ids

    def _draw(self, matcher: SemanticMatcher, mask: np.ndarray, kind: str, rng: random.Random) -> int:
        allowed = np.flatnonzero(mask)
        if not len(allowed):
            raise WalkError(f"dead end at {matcher.completion()[:60]!r}")
        if kind == "policy" and len(allowed) > 1 and rng.random() < _POLICY_SHARE:
            towards = [token_id for token_id in self._towards(matcher.completion().encode()) if mask[token_id]]
            if towards:
                return rng.choice(towards)
        if kind in self.boosted:
            liked = allowed[self.boosted[kind][allowed]]
            weight = _BOOST * len(liked)
            if rng.random() * (weight + len(allowed) - len(liked)) < weight:
                return int(liked[rng.randrange(len(liked))])
        return int(allowed[rng.randrange(len(allowed))])

    def _towards(self, text: bytes) -> Iterator[int]:
        """The tokens with which a text can begin."""
        for size in range(1, min(self.longest, len(text)) + 1):
            if (token_id := self.ids.get(text[:size])) is not None:
                yield token_id


def _made_of(tokenizer: Tokenizer, chars: frozenset[int]) -> np.ndarray:
    """Which tokens consist of some characters only."""
    return np.array([bool(token) and chars.issuperset(token) for token in tokenizer.vocabulary.tokens])


def _end(tokenizer: Tokenizer, ids: list[int]) -> str:
    return repr(b"".join(tokenizer.token_bytes(i) or b"" for i in ids[-40:]))


def judge(text: bytes, constraints: Constraints) -> None:
    """Raises where an answer is not valid, or not in the generated form."""
    if is_prose(text.decode(), constraints):
        return
    document = parse(text.decode())
    errors = [finding for finding in check(document, constraints=constraints, mode="strict") if finding.is_error]
    if errors:
        raise WalkError(f"{errors[0].code} {errors[0].message}\n{text.decode()}")
    if format_document(document) != text.decode():
        raise WalkError(f"not in canonical form:\n{text.decode()}")


# --- many walks ------------------------------------------------------------------------------------------------------

_walker: Walker
"""The walker of a worker process."""


def _start_worker(tokenizer: str) -> None:
    global _walker
    _walker = Walker(load_tokenizer(tokenizer))


def _walk(number: int) -> Walk:
    return _walker.walk(number)


def walks(tokenizer: str, numbers: list[int], jobs: int) -> Iterator[Walk]:
    """The walks of some numbers, as they are done."""
    if jobs == 1:
        _start_worker(tokenizer)
        yield from map(_walk, numbers)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, _start_worker, (tokenizer,)) as pool:
        yield from pool.imap_unordered(_walk, numbers, chunksize=8)


def _shown(done: Iterable[Walk], total: int) -> Iterator[Walk]:
    """Progress on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    yield from track(done, "walks", total=total, console=Console(stderr=True), disable=not sys.stderr.isatty())


def known(file: Path | None) -> dict[int, Walk]:
    """The walks of a results file; a last line that was cut off is left out."""
    found: dict[int, Walk] = {}
    if file is not None and file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                walk = Walk(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found[walk.number] = walk
    return found


def summary(done: list[Walk]) -> Iterator[str]:
    """What came out, line by line."""
    good = [walk for walk in done if not walk.error]
    tokens = sum(walk.tokens for walk in good)
    sets = len({walk.number % SETS for walk in done})
    yield f"{len(good)} of {len(done)} walks over {sets} constraint sets complete, within budget, valid and canonical"
    kinds = Counter(walk.kind for walk in done)
    yield "  " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    forced = sum(walk.tokens == walk.budget for walk in good)
    yield f"  {tokens:,} tokens, {tokens / max(len(good), 1):.0f} a walk; {forced} walks took their whole budget"
    for name, seconds in (("fill", [w.fill for w in good]), ("accept", [w.accept for w in good])):
        yield f"  {name}: {sum(seconds) / max(tokens, 1) * 1e6:.1f} µs a token"


def main() -> int:
    """Runs the walks that the arguments ask for; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="smollm2", help='a name, folder or file; "bytes" needs nothing')
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first walk")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, help="a file of one walk a line, read and added to")
    options = parser.parse_args()
    print(heading(f"Random walks, {Path(options.tokenizer).name}", "numpy", "tokenizers"), flush=True)
    numbers = range(options.first, options.first + options.walks)
    before = known(options.results)
    todo = [number for number in numbers if number not in before]
    done = [before[number] for number in numbers if number in before]
    started = time.perf_counter()
    for walk in _shown(walks(options.tokenizer, todo, options.jobs), len(todo)):
        done.append(walk)
        if walk.error:
            repeat = f"python -m benchmarks.random_walks --tokenizer {options.tokenizer} --jobs 1 --walks 1"
            print(f"{repeat} --first {walk.number}\n  {walk.error}", flush=True)
        if options.results is not None:
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(walk)) + "\n")
    print("\n".join(summary(done)))
    print(f"  {len(todo)} walks in {time.perf_counter() - started:.0f} s with {options.jobs} processes")
    return int(any(walk.error for walk in done))


if __name__ == "__main__":
    sys.exit(main())
