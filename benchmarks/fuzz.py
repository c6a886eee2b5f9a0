"""Mutated documents through parser, checker and formatter: ``python -m benchmarks.fuzz [COUNT] [SEED]``.

Nothing may raise. Every document of ``tests/fixtures`` and ``examples`` is a start; a mutation deletes, doubles or
turns a piece round, or puts in something nasty. One in ten is checked and formatted too, which takes longer.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document

ROOT = Path(__file__).resolve().parent.parent

NASTY = (
    *("\x00", "\ud800", "\ufeff", "\u2028", "\t", "\r", "|\n"),
    *("{{", "}}", "{%", "```", "- ", ": ", "&a ", "*a", "!x ", '"', "'", "[", "@v"),
)

LONGEST = 1500
"""Characters of a start: small documents make more mutations a second."""


def mutated(text: str, random: Random) -> str:
    """The text with one to four small changes."""
    for _ in range(random.randint(1, 4)):
        at, end = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
        end = min(end, at + 40)
        piece = random.choice(("", text[at:end] * 2, random.choice(NASTY), text[at:end][::-1]))
        text = text[:at] + piece + text[end:]
    return text


def main() -> int:
    """Runs the mutations; 1 at the first one that raises, whose text is printed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=100_000, help="how many mutations")
    parser.add_argument("seed", nargs="?", type=int, default=0)
    options = parser.parse_args()
    return fuzz(options.count, options.seed)


def fuzz(count: int, seed: int) -> int:
    """Tries so many mutations; 1 at the first one that raises."""
    random = Random(seed)
    files = sorted((*ROOT.glob("tests/fixtures/**/*.md"), *ROOT.glob("examples/**/*.md")))
    starts = [file.read_text(encoding="utf-8")[:LONGEST] for file in files]
    began = time.perf_counter()
    for number in range(count):
        text = mutated(random.choice(starts), random)
        try:
            document = parse(text)
            if number % 10 == 0:
                check(document)
                format_document(document)
        except Exception as exc:
            print(f"mutation {number} (seed {seed}) raises {exc!r}:\n{text!r}", file=sys.stderr)
            return 1
    seconds = time.perf_counter() - began
    print(f"{count:,} mutations of {len(starts)} documents, seed {seed}: nothing raised, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
