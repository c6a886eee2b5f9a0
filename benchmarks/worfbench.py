"""All 316 gold workflows of WorFBench through the toolkit: ``python -m benchmarks.worfbench``.

Each is converted to AgenticDSL, must be accepted by the grammar, parse back to a graph with the same
transitive reduction and be valid, unless the published graph itself is broken, which is judged without the
toolkit (`worfbench_graphs.defects`).
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass

import networkx as nx

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.format import format_subgraph
from benchmarks.accept import Acceptor
from benchmarks.data import data_folder, read_json
from benchmarks.worfbench_graphs import Workflow, constraints_of, defects, of_subgraph, to_subgraph

FILES = ("toolalpaca", "seal_tools")

EXPECTED_CODES = {
    "cycle": {"ADL203"},
    "step not reachable from START": {"ADL204"},
    "step without a way to END": {"ADL205", "ADL204"},
}


@dataclass(frozen=True)
class Verdict:
    """How one workflow was judged; ``same``: parse-back has the transitive reduction of the published graph."""

    file: str
    name: str
    branching: bool
    defects: frozenset[str]
    accepted: bool
    same: bool
    codes: frozenset[str]

    @property
    def valid(self) -> bool:
        """Accepted, the same order of steps, and no error."""
        return self.accepted and self.same and not self.codes

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
    folder = data_folder("worfbench")
    if folder is None:
        raise FileNotFoundError("no folder worfbench in the task data; set AGENTIC_DSL_DATA")
    return [judge(file, Workflow.of(record)) for file in FILES for record in read_json(folder / f"{file}.json")]


def table(verdicts: list[Verdict]) -> str:
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


def main() -> int:
    """Prints the table and every disagreement; 1 where there is one."""
    verdicts = judge_all()
    print(table(verdicts))
    odd = [v for v in verdicts if not v.consistent]
    for verdict in odd:
        print(f"\ndisagreement: {verdict}", file=sys.stderr)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
