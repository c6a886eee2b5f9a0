"""`fmt`: in place, checked, as a diff, from standard input; never on what it cannot read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from conftest import EXAMPLES, Cli

Example = Callable[[str], Path]

TRIP = (EXAMPLES / "trip.md").read_text(encoding="utf-8")
UNTIDY = TRIP.replace('next: ["/main/trip/look_up"]', "next: look_up").replace("  - id: start", "  - id:   start")
UNREADABLE = "### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes: [\n```\n"


def test_a_canonical_document_is_left_alone(cli: Cli, example: Example) -> None:
    file = example("library/travel.md")
    before = file.stat().st_mtime_ns
    result = cli("fmt", file)
    assert (result.code, result.out) == (0, "")
    assert file.stat().st_mtime_ns == before


def test_the_examples_are_canonical(cli: Cli) -> None:
    for name in ("trip.md", "library"):
        assert cli("fmt", "--check", EXAMPLES / name).code == 0, name


def test_a_file_is_rewritten_in_place(cli: Cli, folder: Path) -> None:
    (folder / "plan.md").write_text(UNTIDY, encoding="utf-8")
    result = cli("fmt", "plan.md")
    assert (result.code, result.out) == (0, "")
    assert "reformatted plan.md" in result.err
    assert (folder / "plan.md").read_text(encoding="utf-8") == TRIP
    assert os.listdir(folder) == ["plan.md"]


def test_check_writes_nothing_and_names_the_file(cli: Cli, folder: Path) -> None:
    (folder / "plan.md").write_text(UNTIDY, encoding="utf-8")
    result = cli("fmt", "--check", "plan.md")
    assert (result.code, result.out) == (1, "would reformat plan.md\n")
    assert (folder / "plan.md").read_text(encoding="utf-8") == UNTIDY


def test_diff_shows_what_would_change(cli: Cli, folder: Path) -> None:
    (folder / "plan.md").write_text(UNTIDY, encoding="utf-8")
    result = cli("fmt", "--diff", "plan.md")
    assert result.code == 1
    assert result.out.startswith("--- plan.md\n+++ plan.md (formatted)\n")
    assert '+    next: ["/main/trip/look_up"]' in result.out
    assert (folder / "plan.md").read_text(encoding="utf-8") == UNTIDY


def test_standard_input_goes_to_standard_output(cli: Cli) -> None:
    result = cli("fmt", "-", stdin=UNTIDY)
    assert (result.code, result.out) == (0, TRIP)
    assert cli("fmt", "-", stdin=TRIP).out == TRIP


def test_a_document_with_errors_is_refused_and_left_alone(cli: Cli, folder: Path) -> None:
    (folder / "bad.md").write_text(UNREADABLE, encoding="utf-8")
    (folder / "good.md").write_text(UNTIDY, encoding="utf-8")
    result = cli("fmt", "bad.md", "good.md", "--quiet")
    assert result.code == 1
    assert "bad.md: not formatted, because it has 1 error" in result.err
    assert (folder / "bad.md").read_text(encoding="utf-8") == UNREADABLE
    assert (folder / "good.md").read_text(encoding="utf-8") == TRIP


def test_a_refused_standard_input_prints_nothing(cli: Cli) -> None:
    result = cli("fmt", "-", stdin=UNREADABLE)
    assert (result.code, result.out) == (1, "")


def test_a_file_that_is_no_text_is_left_alone(cli: Cli, folder: Path) -> None:
    (folder / "bad.md").write_bytes(TRIP.encode() + b"\xff")
    assert cli("fmt", "bad.md").code == 1
    assert (folder / "bad.md").read_bytes() == TRIP.encode() + b"\xff"


def test_json_says_what_happened_to_each_file(cli: Cli, folder: Path) -> None:
    (folder / "bad.md").write_text(UNREADABLE, encoding="utf-8")
    (folder / "plan.md").write_text(UNTIDY, encoding="utf-8")
    record = json.loads(cli("fmt", "bad.md", "plan.md", "--check", "--format", "json").out)
    assert [(f["path"], f["ok"], f["changed"], f["text"]) for f in record["files"]] == [
        ("bad.md", False, False, None),
        ("plan.md", True, True, None),
    ]
    assert record["summary"] == {"files": 2, "changed": 1, "refused": 1}
    assert json.loads(cli("fmt", "-", "--format", "json", stdin=UNTIDY).out)["files"][0]["text"] == TRIP


def test_standard_input_stands_alone(cli: Cli, example: Example) -> None:
    assert cli("fmt", "-", example("trip.md")).code == 2
