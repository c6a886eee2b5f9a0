"""Breaks each rule some times in clean documents, and sees whether lint finds it where it was broken."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.rule import Example, Rule
from agentic_dsl.compiler.lint.shown import findings_of, lint_example
from benchmarks.mutations.corpus import clean_document
from benchmarks.mutations.scene import Mutant, Mutate, NoPlaceError, Scene, line_number

DOCUMENTS = 160
"""Clean documents from which mutations choose."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What lint said of one mutant.

    Attributes:
        caught: whether the finding is there.
        in_place: whether it begins on a line that the mutation names.
        lines: on which it begins.
    """

    mutant: Mutant
    caught: bool
    in_place: bool
    lines: frozenset[int]


def trials(rule: Rule, mutate: Mutate, count: int) -> list[Trial]:
    """As many mutants as are asked for, each in a document chosen by chance; always the same ones."""
    rng = random.Random(f"mutations of {rule.code}")
    numbers: list[int] = []
    found: list[Trial] = []
    tries = 0
    while len(found) < count:
        if not numbers:
            numbers = rng.sample(range(DOCUMENTS), DOCUMENTS)
        tries += 1
        if tries > DOCUMENTS * count:
            raise LookupError(f"no clean document has a place to break {rule.code} at")
        scene = Scene(clean_document(numbers.pop()), rng)
        try:
            mutant = scene.mutant(mutate(scene))
        except NoPlaceError:
            continue
        found.append(_judged(rule, mutant))
    return found


def _judged(rule: Rule, mutant: Mutant) -> Trial:
    linted = lint_example(mutant.example)
    text = linted.source.text
    spans = [f.diagnostic.span for f in judged(linted) if f.diagnostic.code == rule.code]
    lines = frozenset(line_number(text, span.start) for span in spans)
    return Trial(mutant, bool(spans), bool(lines & mutant.lines), lines)


def noisy(documents: Iterable[Example]) -> list[tuple[Example, str]]:
    """The clean documents that are not silent, with the codes that lint gave."""
    return [(document, f.diagnostic.code) for document in documents for f in findings_of(document)]
