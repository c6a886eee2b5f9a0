"""`graph`: the drawing of a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conftest import Cli
from syrupy.assertion import SnapshotAssertion

Example = Callable[[str], Path]


def test_a_document_is_drawn(cli: Cli, example: Example, snapshot: SnapshotAssertion) -> None:
    result = cli("graph", example("trip.md"))
    assert (result.code, result.err) == (0, "")
    assert result.out == snapshot


def test_ascii_is_ascii(cli: Cli, example: Example, snapshot: SnapshotAssertion) -> None:
    result = cli("graph", example("trip.md"), "--ascii")
    assert result.out.isascii()
    assert result.out == snapshot


def test_a_wide_graph_has_one_row_a_node(cli: Cli, folder: Path, snapshot: SnapshotAssertion) -> None:
    branches = [f"branch_{i}" for i in range(12)]
    nodes = ["- {id: go, type: fork, fork: {branches: [" + ", ".join(branches) + "]}}"]
    nodes += [f"- {{id: {name}, type: tool_call, tool: t, output_keys: [k{name}], next: all}}" for name in branches]
    nodes += ["- {id: all, type: join, join: {wait_for: ['@all']}, next: /__system__/end_soft}"]
    body = "\n".join("  " + node for node in nodes)
    text = f"### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}\n```\n"
    (folder / "wide.md").write_text(text, encoding="utf-8")
    result = cli("graph", "wide.md")
    assert max(map(len, result.out.splitlines())) <= 80
    assert result.out == snapshot


def test_one_subgraph_can_be_chosen(cli: Cli, example: Example) -> None:
    file = example("trip.md")
    record = json.loads(cli("graph", file, "--path", "/main/trip", "--format", "json").out)
    assert [subgraph["path"] for subgraph in record["subgraphs"]] == ["/main/trip"]
    missing = cli("graph", file, "--path", "/main/other")
    assert missing.code == 2
    assert "name one of: /main/trip" in missing.err


def test_what_can_be_read_of_a_wrong_document_is_drawn(cli: Cli, example: Example) -> None:
    result = cli("graph", example("broken.md"))
    assert "summarise" in result.out
    assert result.code in (0, 1)


def test_control_characters_do_not_reach_the_terminal(cli: Cli, folder: Path) -> None:
    node = '{id: a, type: tool_call, tool: "x\\e[2J", output_keys: [k], next: /end}'
    text = f"### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n  - {node}\n```\n"
    (folder / "x.md").write_text(text, encoding="utf-8")
    assert "\x1b" not in cli("graph", "x.md").out


def test_a_document_without_subgraphs_has_nothing_to_draw(cli: Cli) -> None:
    result = cli("graph", "-", stdin="# Nothing\n")
    assert result.code == 2
    assert "- has no subgraph" in result.err
