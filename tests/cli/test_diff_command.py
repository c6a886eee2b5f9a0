"""`diff`: files, folders and git revisions; formats; exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from conftest import Cli, Result

from agentic_dsl.cli import git_objects
from agentic_dsl.compiler.compatibility.kinds import ALL_KINDS, ChangeKind

OLD = """Converts money.

### AgenticDSL `/lib/travel/currency`
```yaml
signature: "(amount: number, from: string) -> {amount: number}"
version: "1.0"
```
"""
BREAKING = OLD.replace("from: string", "from: string, to: string")
ADDITIVE = OLD.replace("from: string", "from: string, to?: string")
PATCH = OLD.replace("Converts", "Changes")


@pytest.fixture
def command(cli: Cli) -> Callable[..., Result]:
    """Runs `diff` with some arguments."""
    return lambda *arguments: cli("diff", *arguments)


@pytest.fixture
def files(folder: Path) -> Path:
    for name, text in {"old": OLD, "breaking": BREAKING, "additive": ADDITIVE, "patch": PATCH}.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


def git(*arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *settings, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose first commit, tagged v1, is the old library; the working folder is a breaking change of it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    lib = folder / "lib" / "travel"
    lib.mkdir(parents=True)
    git("init", "-q", "-b", "main")
    (lib / "währung 1.md").write_text(OLD, encoding="utf-8")
    (lib / "notes.txt").write_text("no document", encoding="utf-8")
    (lib / "link.md").symlink_to("/etc/passwd")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    git("tag", "v1")
    (lib / "währung 1.md").write_text(BREAKING, encoding="utf-8")
    (lib / "link.md").unlink()
    return folder


# --- verdicts --------------------------------------------------------------------------------------------------------


def test_nothing_differs_from_itself(command: Callable[..., Result], files: Path) -> None:
    result = command("old.md", "old.md")
    assert (result.code, result.out, result.err) == (0, "", "nothing changed\n")


def test_an_undeclared_breaking_change_exits_with_1_and_says_what_to_do(
    command: Callable[..., Result], files: Path
) -> None:
    result = command("old.md", "breaking.md")
    assert result.code == 1
    assert result.out.startswith("/lib/travel/currency  1.0  needs a major version, 2.0 would do\n")
    assert 'breaking.md:5:44: breaking ADC201 the new input "to"' in result.out
    assert 'help: let callers leave it out: "to?"' in result.out
    assert result.err == "1 entry: 1 breaking, 0 additive, 0 patch; needs major, 1 version says too little\n"


def test_a_version_that_says_so_is_enough(command: Callable[..., Result], files: Path) -> None:
    (files / "new.md").write_text(BREAKING.replace('"1.0"', '"2.0"'), encoding="utf-8")
    result = command("old.md", "new.md")
    assert result.code == 0
    assert "the versions say so" in result.err


FAILS = [
    ("breaking", "breaking", 1),
    ("breaking", "never", 0),
    ("additive", "breaking", 0),
    ("additive", "additive", 1),
    ("patch", "additive", 0),
]


@pytest.mark.parametrize(("new", "level", "code"), FAILS)
def test_the_level_that_fails_can_be_chosen(
    command: Callable[..., Result], files: Path, new: str, level: str, code: int
) -> None:
    assert command("old.md", f"{new}.md", "--fail-on", level).code == code


# --- formats ---------------------------------------------------------------------------------------------------------


def test_json_holds_everything(command: Callable[..., Result], files: Path) -> None:
    record = json.loads(command("old.md", "breaking.md", "--format", "json").out)
    assert (record["needed"], record["ok"]) == ("major", False)
    assert record["summary"] == {"entries": 1, "breaking": 1, "additive": 0, "patch": 0}
    [entry] = record["entries"]
    assert (entry["old_version"], entry["needed"], entry["declared"], entry["next_version"]) == (
        "1.0",
        "major",
        "none",
        "2.0",
    )
    [change] = entry["changes"]
    assert (change["code"], change["side"], change["file"], change["line"]) == ("ADC201", "new", "breaking.md", 5)


def test_sarif_is_valid_and_names_each_file_once(command: Callable[..., Result], files: Path) -> None:
    schema = json.loads(
        (Path(__file__).parents[1] / "fixtures/sarif/sarif-schema-2.1.0.json").read_text(encoding="utf-8")
    )
    (files / "lib").mkdir()
    (files / "lib" / "a.md").write_text(OLD, encoding="utf-8")
    git("init", "-q")
    git("add", "lib")
    git("commit", "-q", "-m", "one")
    gone = OLD.replace("amount: number, from", "sum: number, from").replace("-> {amount: number}", "-> {}")
    (files / "lib" / "a.md").write_text(gone, encoding="utf-8")
    log = json.loads(command("HEAD:lib", "lib", "--format", "sarif").out)
    jsonschema.Draft7Validator(schema).validate(log)
    [run] = log["runs"]
    assert [artifact["location"]["uri"] for artifact in run["artifacts"]] == ["lib/a.md"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert {result["ruleId"] for result in run["results"]} == {"ADC201", "ADC202", "ADC301", "ADC901"}


def test_other_formats_are_those_of_lint(command: Callable[..., Result], files: Path) -> None:
    names = ("old.md", "breaking.md", "--format")
    assert "breaking.md:5:44: ADC201 breaking: the new input" in command(*names, "concise").out
    assert "::error title=ADC201 required-input-added,file=breaking.md,line=5" in command(*names, "github").out
    assert {issue["check_name"] for issue in json.loads(command(*names, "gitlab").out)} == {"ADC201", "ADC901"}


def test_markdown_is_one_table_that_no_text_breaks(command: Callable[..., Result], files: Path) -> None:
    lines = command("old.md", "breaking.md", "--format", "markdown").out.splitlines()
    assert lines[0] == "| entry | version | change | place |"
    assert lines[2].startswith("| `/lib/travel/currency` | 1.0, needs **major** | **breaking**: the new input")
    for old, new in (("signature", "x|y: 1\nsignature"), ("1.0", "1.0.0")):
        (files / "new.md").write_text(OLD.replace(old, new, 1), encoding="utf-8")
        table = command("old.md", "new.md", "--format", "markdown").out
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert all(line.replace("\\|", "").count("|") == 5 for line in rows), table


def test_a_result_can_be_written_to_a_file(command: Callable[..., Result], files: Path) -> None:
    result = command("old.md", "breaking.md", "-o", "out.txt")
    assert (result.code, result.out) == (1, "")
    assert "breaking ADC201" in (files / "out.txt").read_text(encoding="utf-8")


# --- git -------------------------------------------------------------------------------------------------------------


def test_a_folder_of_a_revision_is_compared_with_the_working_folder(
    command: Callable[..., Result], repository: Path
) -> None:
    result = command("v1:lib", "lib")
    assert result.code == 1
    assert "lib/travel/währung 1.md:5:44: breaking ADC201" in result.out
    back = command("lib", "v1:lib")
    assert "lib/travel/währung 1.md:5:44: breaking ADC202" in back.out


def test_two_revisions_files_and_the_whole_tree_can_be_compared(
    command: Callable[..., Result], repository: Path
) -> None:
    git("commit", "-q", "-a", "-m", "two")
    assert command("v1:lib/travel/währung 1.md", "HEAD:lib/travel/währung 1.md").code == 1
    assert command("HEAD~1:", "main:").code == 1
    assert command("HEAD:lib/", "HEAD:./lib").code == 0
    record = json.loads(command("v1:", "main:lib", "--format", "json").out)
    assert record["entries"][0]["changes"][0]["file"] == "lib/travel/währung 1.md"


def test_a_path_below_the_working_folder_is_written_with_a_dot(
    command: Callable[..., Result], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "lib")
    result = command("v1:./travel", "travel")
    assert "travel/währung 1.md:5:44: breaking ADC201" in result.out
    assert command("v1:.", ".").code == 1


def test_what_exists_as_a_path_is_one(command: Callable[..., Result], repository: Path) -> None:
    (repository / "v1:lib").mkdir()
    (repository / "v1:lib" / "a.md").write_text(BREAKING, encoding="utf-8")
    assert command("v1:lib", "lib").code == 0


REFUSED = [
    ("--output=x:lib", '"--output=x" is no revision'),
    ("-p:lib", '"-p" is no revision'),
    (":lib", "is no revision"),
    ("nothing:lib", 'git knows no revision "nothing"'),
    ("v1:none", '"none" does not exist in revision "v1"'),
    ("v1:lib/travel/notes.txt/x", "does not exist in revision"),
    ("nowhere", "nowhere does not exist"),
    ("v1:../..", "git"),
    ("v1:lib\n", "line end"),
    ("v1:lib/travel/link.md/..", "git"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_what_is_no_version_is_refused(
    command: Callable[..., Result], repository: Path, name: str, message: str
) -> None:
    result = command("--", name, "lib")
    assert result.code == 2
    assert message in result.err
    assert not (repository / "x").exists()
    assert not (repository / "x:lib").exists()


def test_outside_of_a_repository_git_says_so(command: Callable[..., Result], files: Path) -> None:
    result = command("HEAD:lib", "old.md")
    assert result.code == 2
    assert "not a git repository" in result.err


def test_without_git_files_can_still_be_compared(
    command: Callable[..., Result], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(files))
    assert command("old.md", "patch.md").code == 0
    assert "git cannot be started" in command("HEAD:lib", "old.md").err


def test_git_is_bounded_in_size_and_time(
    command: Callable[..., Result], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_objects, "MAX_LISTING", 20)
    assert "answers with too much" in command("v1:lib", "lib").err
    monkeypatch.setattr(git_objects, "MAX_LISTING", 1 << 20)
    monkeypatch.setattr(git_objects, "MAX_TOTAL", 20)
    assert "MiB of documents" in command("v1:lib", "lib").err
    slow = repository / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 30\n", encoding="utf-8")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git_objects, "TIMEOUT", 0.2)
    assert "took longer than" in command("v1:lib", "lib").err


def test_a_document_that_is_too_large_is_named(command: Callable[..., Result], repository: Path) -> None:
    (repository / "lib" / "large.md").write_bytes(b"x" * (8 << 20) + b"yz")
    git("add", ".")
    git("commit", "-q", "-m", "large")
    result = command("v1:lib", "HEAD:lib")
    assert result.code == 2
    assert "HEAD:lib/large.md:1: ADL001" in result.err


def test_only_the_new_version_must_be_readable(command: Callable[..., Result], files: Path) -> None:
    (files / "broken.md").write_text(OLD.replace('"1.0"', '"1.0'), encoding="utf-8")
    refused, told = command("old.md", "broken.md"), command("broken.md", "old.md")
    assert (refused.code, told.code) == (2, 0)
    assert "broken.md cannot be compared: broken.md:6: ADL101" in refused.err
    assert "broken.md is compared as far as it can be read" in told.err


def test_an_entry_that_is_gone_is_shown_where_it_was(command: Callable[..., Result], files: Path) -> None:
    (files / "new.md").write_text(OLD.replace("/currency", "/money"), encoding="utf-8")
    result = command("old.md", "new.md")
    assert result.code == 1
    assert "/lib/travel/currency  1.0, gone  was not deprecated before\n" in result.out
    assert 'old.md:3:17: breaking ADC101 "/lib/travel/currency" version 1.0 is gone' in result.out
    assert 'help: keep the path and let it call "/lib/travel/money", which is the same' in result.out


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.code.code)
def test_each_kind_of_change_is_explained_by_rule(cli: Cli, kind: ChangeKind) -> None:
    result = cli("rule", kind.code.code)
    assert result.code == 0
    assert result.out == f"{kind.code.code} {kind.code.name} ({kind.level.value}, diff)\n\n{kind.code.summary}\n"
    record = json.loads(cli("rule", kind.code.name, "--format", "json").out)
    assert (record["code"], record["level"]) == (kind.code.code, kind.level.value)


def test_a_code_that_is_nearly_one_of_a_change_is_named(cli: Cli) -> None:
    result = cli("rule", "ADC2011")
    assert (result.code, result.out) == (2, "")
    assert "write ADC201" in result.err
