"""``--lib builtin``: the shipped contracts, wherever a library can be named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.compiler.library_names import BUILTIN_FOLDER
from agentic_dsl.compiler.lint import cache

CALL = (
    "### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\nnodes:\n"
    "  - {id: ask, type: start, next: ['/lib/human/approval@v1?request=x', '/main/p/done']}\n"
    "  - {id: done, type: end}\n```\n"
)


@pytest.fixture
def document(folder: Path) -> str:
    (folder / "call.md").write_text(CALL, encoding="utf-8")
    return "call.md"


def test_documents_are_checked_against_it(cli: Cli, document: str) -> None:
    assert cli("validate", document, "--lib", "builtin").code == 0
    broken = CALL.replace("?request=x", "")
    result = cli("validate", "-", "--lib", "builtin", stdin=broken)
    assert result.code == 1
    assert '"request"' in result.out


def test_lint_knows_it_and_does_not_judge_it(cli: Cli, document: str) -> None:
    record = json.loads(cli("lint", document, "--lib", "builtin", "--format", "json").out)
    assert [file["path"] for file in record["files"]] == [document]


def test_its_contracts_are_offered_to_a_model(cli: Cli) -> None:
    record = json.loads(cli("compile", "--lib", "builtin", "--path", "/dynamic/p", "--format", "json").out)
    grammar = json.dumps(record)
    assert "/lib/workflow/parallel_map@v1.0" in grammar


def test_calls_of_it_are_drawn(cli: Cli, document: str) -> None:
    result = cli("graph", document, "--lib", "builtin", "--as", "mermaid")
    assert result.code == 0
    assert "/lib/human/approval" in result.out


@pytest.mark.parametrize("value", ['["builtin"]', '"builtin"'])
def test_a_project_file_can_name_it(cli: Cli, folder: Path, value: str) -> None:
    (folder / "agentic-dsl.toml").write_text(f"lib = {value}\n", encoding="utf-8")
    record = json.loads(cli("compile", "--path", "/dynamic/p", "--format", "json").out)
    assert "/lib/human/approval" in json.dumps(record)


def test_remembered_results_depend_on_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("x", encoding="utf-8")
    assert BUILTIN_FOLDER.is_dir()
    before = cache.toolkit_digest()
    monkeypatch.setattr(cache, "BUILTIN_FOLDER", tmp_path)
    other = cache.toolkit_digest()
    (tmp_path / "x.md").write_text("xy", encoding="utf-8")
    assert len({before, other, cache.toolkit_digest()}) == 3
