"""What the checks against published gold plans share: a verdict on one plan, and how verdicts are printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from benchmarks.data import data_folder


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the toolkit says of one plan, beside what is wrong with the plan itself.

    Attributes:
        defects: found on the plan alone, without the toolkit.
        accepted: by the grammar of its catalogue.
        same: parse-back gives the graph that was printed.
        codes: the errors of parser and checker.
    """

    defects: frozenset[str]
    accepted: bool
    same: bool
    codes: frozenset[str]

    @property
    def valid(self) -> bool:
        """Accepted, the same graph, and no error."""
        return self.accepted and self.same and not self.codes


class Verdict(Protocol):
    """One plan, judged by the toolkit and by itself."""

    @property
    def consistent(self) -> bool:
        """Whether both say the same."""
        ...


V = TypeVar("V", bound=Verdict)


def published(name: str) -> Path:
    """The folder of a data set.

    Raises:
        FileNotFoundError: the data is not there.
    """
    if (folder := data_folder(name)) is None:
        raise FileNotFoundError(f"no folder {name} in the task data; set AGENTIC_DSL_DATA")
    return folder


def print_verdicts(judge_all: Callable[[], Sequence[V]], table: Callable[[Sequence[V]], str]) -> int:
    """Prints the table and every disagreement; the exit code: 1 where there is one, 2 without the data."""
    try:
        verdicts = judge_all()
    except FileNotFoundError as exc:
        print(exc, file=sys.stderr)
        return 2
    print(table(verdicts))
    odd = [verdict for verdict in verdicts if not verdict.consistent]
    for verdict in odd:
        print(f"\ndisagreement: {verdict}", file=sys.stderr)
    return 1 if odd else 0
