"""Documents made to be slow for lint: each took minutes where the work was the product of two of its lengths."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.selection import Selection

pytestmark = pytest.mark.timeout(60)

MANY = 4_000


def _count(text: str, code: str) -> int:
    found = judged(Project({"x.md": text.encode()}).lint()["x.md"])
    return sum(finding.diagnostic.code == code for finding in found)


def test_many_comments_and_many_findings() -> None:
    nodes = "\n".join(f"- {{id: D{n}, type: end}}" for n in range(MANY))
    comment = f"<!-- adl: ignore-file {'ADL853 ' * MANY * 4}-->\n"
    assert _count(comment + subgraph(nodes), "ADL991") == MANY * 4


def test_many_comments_before_many_blocks() -> None:
    one = "<!-- adl: ignore ADL853, ADL851 -->\n" + subgraph("- {id: Done, type: end}")
    text = "\n".join(one.replace("/main/p", f"/main/p{n}") for n in range(MANY // 2))
    assert _count(text, "ADL991") == MANY // 2


def test_many_forks_that_generate() -> None:
    nodes = [
        f"- {{id: f{n}, type: fork, fork: {{branches: [/main/p/g{n}, /main/p/f{n + 1}]}}}}\n"
        f"- {{id: g{n}, type: generate_subgraph, prompt_template: x, output_keys: [k], next: [/main/p/done]}}"
        for n in range(MANY // 2)
    ]
    last = f"- {{id: f{MANY // 2}, type: start, next: [/main/p/done]}}\n- {{id: done, type: end}}"
    assert _count(subgraph("\n".join([*nodes, last])), "ADL823") == 0


def test_many_fixes() -> None:
    nodes = [f"- {{id: n{n}, type: assign, assign: {{x: 1}}, next: [n{n + 1}]}}" for n in range(MANY)]
    text = subgraph("\n".join([*nodes, f"- {{id: n{MANY}, type: end}}"]))
    linted, applied = Project({"x.md": text.encode()}).fix("x.md", Selection(("ADL914",)), unsafe=False)
    assert applied == MANY
    assert judged(linted, Selection(("ADL914",))) == ()
