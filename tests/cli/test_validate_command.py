"""`validate`: golden output, exit codes, modes, libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Cli
from syrupy.assertion import SnapshotAssertion

Example = Callable[[str], Path]

BROKEN_YAML = """\
### AgenticDSL `/main/x`
```yaml
graph_type: subgraph
nodes:
  - id: a
    type: [unclosed
```
"""

CALL = """\
### AgenticDSL `/main/x`
```yaml
graph_type: subgraph
nodes:
  - {id: a, type: assign, assign: {nights: 3}, next: ["/lib/travel/estimate@v1?price=20", /main/x/done]}
  - {id: done, type: end, output_keys: [total]}
```
"""


def test_a_document_without_errors_exits_with_0(cli: Cli, example: Example) -> None:
    result = cli("validate", example("trip.md"))
    assert (result.code, result.out) == (0, "")
    assert result.err == "1 file: 0 errors, 0 warnings\n"


def test_findings_are_shown_with_line_caret_and_remedy(cli: Cli, example: Example, snapshot: SnapshotAssertion) -> None:
    result = cli("validate", example("broken.md"))
    assert result.code == 1
    assert result.out == snapshot
    assert result.err.startswith("1 file: ")


def test_json_is_one_object_of_the_documented_shape(cli: Cli, example: Example, snapshot: SnapshotAssertion) -> None:
    result = cli("validate", example("broken.md"), example("trip.md"), "--format", "json")
    assert (result.code, result.err) == (1, "")
    record = json.loads(result.out)
    assert set(record) == {"files", "summary"}
    assert [file["ok"] for file in record["files"]] == [False, True]
    keys = {"code", "severity", "message", "help", "standard", "line", "column", "end_line", "end_column"}
    assert all(set(finding) == keys for file in record["files"] for finding in file["diagnostics"])
    assert record["summary"]["files"] == 2
    assert record["summary"]["errors"] == sum(
        finding["severity"] == "error" for file in record["files"] for finding in file["diagnostics"]
    )
    assert record == snapshot


def test_standard_input_is_a_document(cli: Cli) -> None:
    text = (EXAMPLES / "trip.md").read_text(encoding="utf-8")
    assert cli("validate", "-", stdin=text).code == 0
    broken = cli("validate", "-", stdin=text.replace("type: fork", "type: frok"))
    assert broken.code == 1
    assert broken.out.startswith("-:")


def test_quiet_leaves_only_the_findings(cli: Cli, example: Example) -> None:
    assert cli("validate", example("trip.md"), "--quiet").err == ""


def test_lenient_turns_an_unknown_type_into_a_warning(cli: Cli, folder: Path) -> None:
    text = (EXAMPLES / "trip.md").read_text(encoding="utf-8").replace("type: dsl_call", "type: dream_call")
    (folder / "trip.md").write_text(text, encoding="utf-8")
    assert "error ADL406" in cli("validate", "trip.md").out
    assert "warning ADL406" in cli("validate", "trip.md", "--mode", "lenient").out


def test_the_mode_can_be_a_setting(cli: Cli, folder: Path) -> None:
    (folder / "agentic-dsl.toml").write_text('mode = "lenient"\n', encoding="utf-8")
    text = (EXAMPLES / "trip.md").read_text(encoding="utf-8").replace("type: dsl_call", "type: dream_call")
    (folder / "trip.md").write_text(text, encoding="utf-8")
    assert "warning ADL406" in cli("validate", "trip.md").out
    assert "error ADL406" in cli("validate", "trip.md", "--mode", "strict").out


def test_a_library_makes_its_entries_known(cli: Cli, example: Example, folder: Path) -> None:
    example("library/travel.md")
    (folder / "call.md").write_text(CALL, encoding="utf-8")
    assert "ADL301" in cli("validate", "call.md").out
    assert cli("validate", "call.md", "--lib", "library").out == ""


def test_a_library_can_be_checked_against_itself(cli: Cli, example: Example) -> None:
    example("library/travel.md")
    result = cli("validate", "library", "--lib", "library")
    assert (result.code, result.out) == (0, "")


def test_a_library_that_is_not_there_is_named(cli: Cli, example: Example) -> None:
    result = cli("validate", example("trip.md"), "--lib", "nowhere")
    assert result.code == 2
    assert "nowhere does not exist" in result.err


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (BROKEN_YAML.encode(), "ADL101"),
        (b"### AgenticDSL `/main/x`\n```yaml\na: \xff\n```\n", "ADL002"),
        (b"x" * ((8 << 20) + 1), "ADL001"),
        (b"### AgenticDSL `/main/x`\n```yaml\na: &a [1]\n", "ADL006"),
        (b"### AgenticDSL `/main/x`\n```yaml\n" + b"[" * 5000 + b"\n```\n", "ADL104"),
        (b"\x00\x01\x02", "ADL0"),
    ],
)
def test_bad_input_is_a_finding_with_a_place(cli: Cli, folder: Path, raw: bytes, code: str) -> None:
    (folder / "bad.md").write_bytes(raw)
    result = cli("validate", "bad.md")
    assert result.code in (0, 1)
    assert code in result.out
    assert result.out.startswith("bad.md:")


def test_an_empty_file_holds_no_block(cli: Cli, folder: Path) -> None:
    (folder / "empty.md").write_bytes(b"")
    result = cli("validate", "empty.md")
    assert result.code == 0
    assert "warning ADL003" in result.out


def test_a_missing_file_stops_before_anything_is_printed(cli: Cli, example: Example) -> None:
    result = cli("validate", example("broken.md"), "nowhere.md")
    assert (result.code, result.out) == (2, "")
