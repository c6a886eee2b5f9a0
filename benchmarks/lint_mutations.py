"""The mutation check of lint: every rule is broken 20 times in clean documents; how often is it found, and where?

``python -m benchmarks.lint_mutations [CODES…] [--count N] [--shown]``: codes or beginnings of codes, all by default.
The clean documents must be silent under all rules; of the mutants at least 95 % must be found on the line that was
changed, or on the one that a mutation names because the change left none. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from agentic_dsl.compiler.lint.registry import RULES
from agentic_dsl.compiler.lint.rule import Rule
from benchmarks.measure import heading, markdown_table
from benchmarks.mutations.corpus import clean_document
from benchmarks.mutations.table import MUTATIONS, NOT_MUTATED
from benchmarks.mutations.trials import DOCUMENTS, Trial, noisy, trials

LEAST = 0.95
"""The part of the mutants that must be found in place, of each rule and of all."""


def main(arguments: Sequence[str]) -> int:
    """Prints a row for each rule and the total; 1 where clean documents are not silent or too few mutants are found."""
    options = _options(arguments)
    print(heading("Lint: mutations of clean documents"), end="\n\n", flush=True)
    noise = noisy(clean_document(number) for number in range(DOCUMENTS))
    print(f"{DOCUMENTS} clean documents: {len(noise)} findings", *sorted({code for _, code in noise}), end="\n\n")
    rules = [rule for rule in RULES if rule.code.startswith(tuple(options.codes))]
    rows, total, failed = [], [0, 0, 0], bool(noise)
    for rule in rules:
        if rule.kind in NOT_MUTATED:
            rows.append((rule.code, rule.name, "", "", NOT_MUTATED[rule.kind]))
            continue
        made = trials(rule, MUTATIONS[rule.kind], options.count)
        numbers = (len(made), sum(t.caught for t in made), sum(t.in_place for t in made))
        total = [a + b for a, b in zip(total, numbers, strict=True)]
        failed |= numbers[2] < LEAST * numbers[0]
        rows.append((rule.code, rule.name, f"{numbers[1]}/{numbers[0]}", f"{numbers[2]}/{numbers[0]}", _where(made)))
        if options.shown:
            _show(rule, made)
    print(markdown_table(("rule", "name", "caught", "in place", "where"), rows))
    mutants, caught, in_place = total
    print(
        f"\n{len(rules)} rules, {mutants} mutants: {_part(caught, mutants)} caught, {_part(in_place, mutants)} in place"
    )
    return int(failed or in_place < LEAST * mutants)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lint_mutations", description=__doc__)
    parser.add_argument("codes", nargs="*", default=["ADL"], help="codes or beginnings of codes")
    parser.add_argument("--count", type=int, default=20, help="mutants of each rule")
    parser.add_argument("--shown", action="store_true", help="print the mutants that were not found in place")
    return parser.parse_args(arguments)


def _part(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else "none"


def _where(made: Sequence[Trial]) -> str:
    """On which lines findings had to stand: those that were written, or those that the mutation named."""
    named = sum(trial.mutant.named for trial in made)
    return "changed line" if not named else "named line" if named == len(made) else f"named line in {named}"


def _show(rule: Rule, made: Sequence[Trial]) -> None:
    for trial in made:
        if not trial.in_place:
            wanted = ", ".join(map(str, sorted(trial.mutant.lines)))
            got = ", ".join(map(str, sorted(trial.lines))) or "nothing"
            print(f"--- {rule.code}: wanted on line {wanted}; found on {got}\n{trial.mutant.example.document()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
