"""`lint` and `rule`: formats, exit codes, selectors, project files, fixes, cache."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.codes import ALL_CODES
from agentic_dsl.compiler.lint import cache
from agentic_dsl.compiler.lint.examples import subgraph

Example = Callable[[str], Path]

CLEAN = subgraph("- {id: done, type: end}")
STYLE = subgraph("- {id: Work, type: assign, assign: {y: 1}, next: [/main/p/done]}\n- {id: done, type: end}")
BROKEN = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [/main/p/none]}", path="/main/broken")
RELATIVE = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [done]}\n- {id: done, type: end}", path="/main/r")


@pytest.fixture
def files(folder: Path) -> Path:
    for name, text in {"clean.md": CLEAN, "style.md": STYLE, "broken.md": BROKEN, "relative.md": RELATIVE}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _found(cli: Cli, *arguments: object) -> set[tuple[str, str]]:
    record = json.loads(cli("lint", *arguments, "--format", "json").out)
    return {(file["path"], finding["code"]) for file in record["files"] for finding in file["diagnostics"]}


def test_a_clean_document_exits_with_0_and_prints_nothing(cli: Cli, files: Path) -> None:
    result = cli("lint", "clean.md")
    assert (result.code, result.out, result.err) == (0, "", "1 file: 0 errors, 0 warnings\n")


def test_infos_are_shown_and_are_no_reason_to_fail(cli: Cli, files: Path) -> None:
    result = cli("lint", "style.md")
    assert result.code == 0
    assert 'info ADL851 the id "Work" is not in small letters' in result.out


def test_warnings_and_errors_exit_with_1_unless_they_must_not(cli: Cli, files: Path) -> None:
    assert cli("lint", "relative.md").code == 1
    assert cli("lint", "broken.md").code == 1
    assert cli("lint", "broken.md", "--exit-zero").code == 0
    assert cli("lint", "no.md").code == 2


def test_a_folder_means_its_documents_and_stdin_is_one(cli: Cli, files: Path) -> None:
    assert _found(cli, ".") == {("style.md", "ADL851"), ("broken.md", "ADL301"), ("relative.md", "ADL914")}
    assert "-:" in cli("lint", "-", "--format", "concise", stdin=RELATIVE).out


def test_a_file_of_two_names_is_one_file(cli: Cli, files: Path) -> None:
    (files / "link.md").symlink_to(files / "style.md")
    assert _found(cli, "style.md", "./style.md", "link.md", "--lib", files) == {("style.md", "ADL851")}


def test_selectors_choose_rules_by_prefix_and_name(cli: Cli, files: Path) -> None:
    assert _found(cli, ".", "--select", "ADL3,ADL9") == {("broken.md", "ADL301"), ("relative.md", "ADL914")}
    assert _found(cli, ".", "--ignore", "ADL9", "--ignore", "id-style") == {("broken.md", "ADL301")}
    result = cli("lint", ".", "--select", "ADL777")
    assert (result.code, result.err.startswith('error: "ADL777" in --select names no rule')) == (2, True)


def test_a_project_file_selects_ignores_and_excludes(cli: Cli, files: Path) -> None:
    (files / "old").mkdir()
    (files / "old" / "x.md").write_text(STYLE.replace("/main/p", "/main/x"))
    (files / "agentic-dsl.toml").write_text(
        '[lint]\nignore = ["ADL301"]\nexclude = ["old"]\n[lint.per-file-ignores]\n"rel*.md" = ["ADL9"]\n'
    )
    assert _found(cli, ".") == {("style.md", "ADL851")}
    assert _found(cli, "old/x.md") == {("old/x.md", "ADL851")}, "what is named itself is not excluded"
    assert _found(cli, ".", "--select", "ADL914") == set()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('lint = "x"', "lint in "),
        ("[lint]\nselct = []", '"selct" in [lint] of '),
        ("[lint]\nselect = 3", "select in [lint] of "),
        ('[lint]\nselect = ["ADL777"]', '"ADL777" in select in [lint] of '),
        ("[lint]\nper-file-ignores = []", "per-file-ignores in [lint] of "),
        ('[lint.per-file-ignores]\n"*.md" = "ADL8"', "*.md in per-file-ignores of [lint] of "),
    ],
)
def test_a_project_file_that_cannot_be_used_is_said_where(cli: Cli, files: Path, table: str, message: str) -> None:
    (files / "agentic-dsl.toml").write_text(table + "\n")
    result = cli("lint", "clean.md")
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")
    assert "agentic-dsl.toml" in result.err
    assert "help: " in result.err


def test_json_has_the_shape_of_validate_with_rule_and_fix(cli: Cli, files: Path) -> None:
    record = json.loads(cli("lint", "relative.md", "--format", "json").out)
    [file] = record["files"]
    [finding] = file["diagnostics"]
    assert record["summary"] == {"files": 1, "errors": 0, "warnings": 1}
    assert (file["ok"], finding["rule"], finding["severity"]) == (True, "relative-reference", "warning")
    assert finding["fix"] == {
        "message": "write the full path",
        "safe": True,
        "edits": [
            {
                "line": finding["line"],
                "column": finding["column"],
                "end_line": finding["end_line"],
                "end_column": finding["end_column"],
                "text": '"/main/r/done"',
            }
        ],
    }
    validated = json.loads(cli("validate", "broken.md", "--format", "json").out)["files"][0]["diagnostics"]
    linted = json.loads(cli("lint", "broken.md", "--format", "json").out)["files"][0]["diagnostics"]
    assert [{k: v for k, v in d.items() if k not in ("rule", "fix")} for d in linted] == validated


def test_concise_is_one_line_a_finding(cli: Cli, files: Path) -> None:
    lines = cli("lint", ".", "--format", "concise").out.splitlines()
    assert 'relative.md:5:53: ADL914 [*] "done" is not a full path' in lines
    assert len(lines) == 3


def test_sarif_describes_the_rules_that_found_something_and_where(cli: Cli, files: Path) -> None:
    log = json.loads(cli("lint", ".", "--format", "sarif").out)
    [run] = log["runs"]
    assert (log["version"], run["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["ADL301", "ADL851", "ADL914"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert (
            run["artifacts"][place["artifactLocation"]["index"]]["location"]["uri"] == place["artifactLocation"]["uri"]
        )
    fixed = next(result for result in run["results"] if result["ruleId"] == "ADL914")
    [change] = fixed["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"]["text"] == '"/main/r/done"'
    assert next(result for result in run["results"] if result["ruleId"] == "ADL851")["level"] == "note"


def test_github_gets_workflow_commands_that_nothing_can_break_out_of(cli: Cli, folder: Path) -> None:
    (folder / "a,b.md").write_text(BROKEN.replace("/main/p/none", "/main/no"))
    [line] = cli("lint", ".", "--format", "github").out.splitlines()
    assert line.startswith("::error title=ADL301 dangling-reference,file=a%2Cb.md,line=5,col=")
    assert "%0Ahelp: " in line


def test_gitlab_gets_issues_with_fingerprints_that_do_not_move_with_lines(cli: Cli, files: Path) -> None:
    [before] = json.loads(cli("lint", "relative.md", "--format", "gitlab").out)
    (files / "relative.md").write_text("More prose.\n\n" + RELATIVE)
    [after] = json.loads(cli("lint", "relative.md", "--format", "gitlab").out)
    assert before["fingerprint"] == after["fingerprint"]
    assert after["location"] == {"path": "relative.md", "lines": {"begin": 7, "end": 7}}
    assert (after["check_name"], after["severity"]) == ("ADL914", "minor")


def test_junit_counts_tests_and_failures(cli: Cli, files: Path) -> None:
    root = ElementTree.fromstring(cli("lint", ".", "--format", "junit").out)
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "4", "2")
    suites = {suite.get("name"): suite for suite in root}
    assert [case.get("name") for case in suites["clean.md"]] == ["lint"]
    assert suites["relative.md"].find("testcase/failure") is not None
    assert suites["style.md"].find("testcase/failure") is None


def test_statistics_count_the_rules(cli: Cli, files: Path) -> None:
    assert cli("lint", ".", "--statistics").out.splitlines()[0] == "     1  ADL301  dangling-reference"


def test_fix_writes_files_and_says_what_is_left(cli: Cli, files: Path) -> None:
    result = cli("lint", ".", "--fix")
    assert result.code == 1
    assert (files / "relative.md").read_text() == RELATIVE.replace("[done]", '["/main/r/done"]')
    assert result.err.startswith("1 finding mended\n4 files: 1 error, 0 warnings")
    assert (files / "style.md").read_text() == STYLE


def test_diff_writes_nothing_and_shows_what_would_change(cli: Cli, files: Path) -> None:
    result = cli("lint", "relative.md", "--diff")
    assert '+  - {id: work, type: assign, assign: {y: 1}, next: ["/main/r/done"]}' in result.out.splitlines()
    assert (files / "relative.md").read_text() == RELATIVE


def test_standard_input_is_mended_to_standard_output(cli: Cli, folder: Path) -> None:
    result = cli("lint", "-", "--fix", stdin=RELATIVE)
    assert (result.code, result.out) == (0, RELATIVE.replace("[done]", '["/main/r/done"]'))


def test_unsafe_fixes_need_a_flag_that_uses_them(cli: Cli, files: Path) -> None:
    assert cli("lint", "clean.md", "--unsafe-fixes").code == 2


def test_what_has_not_changed_is_not_looked_at_again(cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cli("lint", ".")

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("a file was looked at")

    monkeypatch.setattr("agentic_dsl.compiler.lint.project.Project.__init__", looked)
    again = cli("lint", ".")
    assert (again.code, again.out, again.err) == (first.code, first.out, first.err)
    assert cli("lint", ".", "--select", "ADL851").code == 0, "selectors need no new look"
    (files / "clean.md").write_text(STYLE.replace("/main/p", "/main/c"))
    assert "a file was looked at" in cli("lint", ".").err


def test_without_the_cache_every_file_is_looked_at(cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "load", lambda *_: pytest.fail("the cache was read"))
    monkeypatch.setattr(cache, "store", lambda *_: pytest.fail("the cache was written"))
    assert cli("lint", ".", "--no-cache").code == 1


def test_a_baseline_accepts_what_was_there_and_shows_what_is_new(cli: Cli, files: Path) -> None:
    written = cli("lint", ".", "--baseline", "lint.json", "--update-baseline")
    assert (written.code, written.out) == (0, "")
    assert cli("lint", ".", "--baseline", "lint.json").code == 0
    (files / "broken.md").write_text("A line before.\n\n" + BROKEN)
    assert _found(cli, ".", "--baseline", "lint.json") == set(), "findings that only move stay accepted"
    (files / "new.md").write_text(RELATIVE.replace("/main/r", "/main/new"))
    (files / "relative.md").write_text(RELATIVE.replace("[done]", "[done, done]"))
    assert _found(cli, ".", "--baseline", "lint.json") >= {("new.md", "ADL914"), ("relative.md", "ADL914")}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 1, "files": {"a": 1}}', '{"version": 2, "files": {}}']
)
def test_a_file_that_is_no_baseline_is_refused(cli: Cli, files: Path, content: str) -> None:
    (files / "lint.json").write_text(content)
    result = cli("lint", ".", "--baseline", "lint.json")
    assert (result.code, "lint.json" in result.err) == (2, True)


def test_a_baseline_needs_a_file(cli: Cli, files: Path) -> None:
    assert cli("lint", ".", "--baseline", "none.json").code == 2
    assert cli("lint", ".", "--update-baseline").code == 2


def test_a_library_beside_the_documents_can_be_called_and_is_read_once(cli: Cli, example: Example) -> None:
    trip = example("trip.md")
    assert _found(cli, trip, "--lib", trip) == _found(cli, trip)


def test_binary_and_unreadable_files_are_findings_or_failures_without_a_traceback(cli: Cli, folder: Path) -> None:
    (folder / "x.md").write_bytes(b"\x00\xff\xfe")
    assert "ADL002" in cli("lint", "x.md").out
    (folder / "loop.md").symlink_to(folder / "loop.md")
    assert cli("lint", "loop.md").code == 2
    assert "ADL002" in cli("lint", ".").out


def test_rule_explains_a_code_or_a_name(cli: Cli, folder: Path) -> None:
    result = cli("rule", "relative-reference")
    assert result.code == 0
    assert result.out.startswith("ADL914 relative-reference (warning, executor, since ")
    for part in ("Bad:", '"done" is not a full path', "help: write /main/p/done", "Good:", "lint --fix"):
        assert part in result.out


def test_rule_lists_all_rules_and_knows_no_others(cli: Cli, folder: Path) -> None:
    assert [line.split()[0] for line in cli("rule").out.splitlines()] == [code.code for code in ALL_CODES]
    assert len(json.loads(cli("rule", "--format", "json").out)) == len(ALL_CODES)
    result = cli("rule", "ADL2033")
    assert (result.code, result.err) == (2, 'error: "ADL2033" names no rule\nhelp: write ADL203\n')
