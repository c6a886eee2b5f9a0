"""All 316 gold workflows of WorFBench through the toolkit: ``python -m benchmarks.worfbench``.

Each is converted to AgenticDSL, must be accepted by the grammar, parse back to a graph with the same
transitive reduction and be valid, unless the published graph itself is broken, which is judged without the
toolkit (`worfbench_graphs.defects`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.format import format_subgraph
from benchmarks.accept import Acceptor
from benchmarks.data import read_json
from benchmarks.verdicts import Judged, print_verdicts, published
from benchmarks.worfbench_graphs import Workflow, constraints_of, defects, of_subgraph, to_subgraph

FILES = ("toolalpaca", "seal_tools")

EXPECTED_CODES = {
    "cycle": {"ADL203"},
    "step not reachable from START": {"ADL204"},
    "step without a way to END": {"ADL205", "ADL204"},
}


@dataclass(frozen=True, kw_only=True)
class Verdict(Judged):
    """How one workflow was judged; ``same``: parse-back has the transitive reduction of the published graph."""

    file: str
    name: str
    branching: bool

    @property
    def consistent(self) -> bool:
        """Whether the toolkit and the published graph say the same."""
        if not self.defects:
            return self.valid
        return all(self.codes & EXPECTED_CODES[defect] for defect in self.defects)


def judge(file: str, workflow: Workflow) -> Verdict:
    """One workflow through grammar, parser and checker."""
    constraints = constraints_of(workflow)
    text = format_subgraph(to_subgraph(workflow))
    document = parse(text)
    reduction = workflow.reduction()
    graphs = [of_subgraph(subgraph) for subgraph in document.subgraphs]
    return Verdict(
        file=file,
        name=workflow.name,
        branching=any(reduction.out_degree(name) > 1 for name in reduction),
        defects=frozenset(defects(workflow)),
        accepted=Acceptor.of(compile(constraints).grammar).accepts(text),
        same=len(graphs) == 1 and nx.utils.graphs_equal(graphs[0], reduction),
        codes=frozenset(d.code for d in check(document, constraints=constraints) if d.is_error),
    )


def judge_all() -> list[Verdict]:
    """Every workflow of both files.

    Raises:
        FileNotFoundError: the data is not there.
    """
    folder = published("worfbench")
    return [judge(file, Workflow.of(record)) for file in FILES for record in read_json(folder / f"{file}.json")]


def table(verdicts: Sequence[Verdict]) -> str:
    """The counts as a Markdown table."""
    lines = ["| file | workflows | branching | valid | rejected |", "|---|---|---|---|---|"]
    for file in (*FILES, "both"):
        mine = [v for v in verdicts if file in (v.file, "both")]
        valid = sum(v.valid for v in mine)
        lines.append(f"| {file} | {len(mine)} | {sum(v.branching for v in mine)} | {valid} | {len(mine) - valid} |")
    lines += ["", "| reason | workflows |", "|---|---|"]
    counts = Counter(", ".join(sorted(v.defects)) for v in verdicts if v.defects)
    lines += [f"| {reason} | {count} |" for reason, count in counts.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(print_verdicts(judge_all, table))
