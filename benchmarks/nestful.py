"""All 254 gold plans of NESTFUL through the toolkit: ``python -m benchmarks.nestful``.

Each record is converted to AgenticDSL and judged three times, independently: by the grammar compiled for its
own catalogue, by parse-back and the checker, and by a look at the record alone (`nestful_plans.defects`). The
three must agree; the table counts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agentic_dsl.ast import Document
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.format import format_subgraph, normalise
from benchmarks.accept import Acceptor
from benchmarks.data import read_json
from benchmarks.nestful_catalogue import normalise_catalogue
from benchmarks.nestful_plans import Plan, constraints_of, defects, to_subgraph
from benchmarks.verdicts import Judged, print_verdicts, published

CATALOGUES = ("executable", "non-executable-glaive")

SEMANTIC = frozenset({"duplicate label", "dangling reference", "undeclared result field"})
"""Defects that no grammar can see: names and fields that are not there, or twice. The checker finds them."""

EXPECTED_CODES = {
    "unknown tool": {"ADL703", "ADL501"},
    "undeclared argument": {"ADL509"},
    "missing argument": {"ADL508"},
    "wrong type": {"ADL507", "ADL710"},
    "wrong enum value": {"ADL507"},
    "unholdable value": {"ADL507", "ADL710"},
    "duplicate label": {"ADL201"},
    "dangling reference": {"ADL603", "ADL604"},
    "undeclared result field": {"ADL511"},
}
"""Defect → the codes of which one must be among the checker's findings."""


@dataclass(frozen=True, kw_only=True)
class Verdict(Judged):
    """How one record was judged."""

    catalogue: str
    number: int

    @property
    def consistent(self) -> bool:
        """Whether grammar, checker and the record itself say the same."""
        if not self.defects:
            return self.valid
        explained = any(self.codes & EXPECTED_CODES[defect] for defect in self.defects)
        refused_by_grammar = not self.accepted or not (self.defects - SEMANTIC)
        return bool(self.codes) and explained and refused_by_grammar


def judge(catalogue: str, number: int, plan: Plan, tools: tuple[ToolSpec, ...]) -> Verdict:
    """One record through grammar, parser and checker."""
    constraints = constraints_of(plan, tools)
    subgraph = to_subgraph(plan, tools)
    text = format_subgraph(subgraph)
    accepted = Acceptor.of(compile(constraints).grammar).accepts(text)
    document = parse(text)
    same = document == normalise(Document(blocks=(subgraph,)))
    codes = {d.code for d in check(document, constraints=constraints) if d.is_error}
    return Verdict(
        catalogue=catalogue,
        number=number,
        defects=frozenset(defects(plan, tools)),
        accepted=accepted,
        same=same,
        codes=frozenset(codes),
    )


def judge_all() -> list[Verdict]:
    """Every record of both catalogues.

    Raises:
        FileNotFoundError: the data is not there.
    """
    folder = published("nestful")
    verdicts = []
    for catalogue in CATALOGUES:
        tools = normalise_catalogue(read_json(folder / f"{catalogue}-spec.json"))
        for number, record in enumerate(read_json(folder / f"{catalogue}-data.json")):
            verdicts.append(judge(catalogue, number, Plan.of(record), tools))
    return verdicts


def table(verdicts: Sequence[Verdict]) -> str:
    """The counts as a Markdown table, one row a catalogue and verdict."""
    lines = [
        "| catalogue | records | valid | rejected | by grammar and checker | by the checker alone |",
        "|---|---|---|---|---|---|",
    ]
    for catalogue in (*CATALOGUES, "both"):
        mine = [v for v in verdicts if catalogue in (v.catalogue, "both")]
        rejected = [v for v in mine if not v.valid]
        by_both = sum(not v.accepted for v in rejected)
        lines.append(
            f"| {catalogue} | {len(mine)} | {len(mine) - len(rejected)} | {len(rejected)}"
            f" | {by_both} | {len(rejected) - by_both} |"
        )
    lines += ["", "| defect | records |", "|---|---|"]
    counts = Counter(defect for v in verdicts for defect in v.defects)
    lines += [f"| {defect} | {count} |" for defect, count in counts.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(print_verdicts(judge_all, table))
