"""``agentic-dsl skills``, ``agentic-dsl rule`` for skills."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Cli

from agentic_dsl.cli import app as app_module
from agentic_dsl.cli import skills_stats  # noqa: F401  # adds its command to the group
from agentic_dsl.cli.skills import skills_app
from agentic_dsl.codes import SKILL_CODES
from agentic_dsl.runtime.folders import cache_folder
from agentic_dsl.skills.usage import FILE, SkillUsage, SkillUse


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The group of commands within the whole command line, and a data folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    build: Callable[..., typer.Typer] = app_module.build_app

    def with_skills(**options: Any) -> typer.Typer:
        app = build(**options)
        if all(group.name != "skills" for group in app.registered_groups):
            app.add_typer(skills_app, name="skills")
        return app

    monkeypatch.setattr(app_module, "build_app", with_skills)


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def skill(root: str, name: str, front: str = "", body: str = "Do it.\n", description: str = "Does a thing.") -> None:
    write(f"{root}/{name}/SKILL.md", f"---\nname: {name}\ndescription: {description}\n{front}---\n{body}")


def test_skills_are_listed_in_columns(cli: Cli) -> None:
    skill("r", "b", 'metadata: {version: "1.2"}\n')
    skill("r", "a", description="要約 " * 30)
    result = cli("skills", "list", "--root", "r")
    head, first, second = result.out.splitlines()
    assert head.split() == ["name", "version", "tokens", "files", "description"]
    assert first.split()[:4] == ["a", "–", "2", "0"]
    assert first.endswith("…")
    assert second.split() == ["b", "1.2", "2", "0", "Does", "a", "thing."]
    assert result.err == "2 skills in 1 root\n"
    assert result.code == 0


def test_a_list_can_be_json(cli: Cli) -> None:
    skill("r", "a", "metadata: {tags: x y, requires: b}\n")
    skill("r", "b")
    record = json.loads(cli("skills", "list", "--root", "r", "--format", "json").out)
    assert [s["name"] for s in record["skills"]] == ["a", "b"]
    assert record["skills"][0]["tags"] == ["x", "y"]
    assert record["skills"][0]["requires"] == ["b"]
    assert len(record["skills"][0]["content_hash"]) == 64


def test_a_list_goes_on_without_broken_skills_and_says_so(cli: Cli) -> None:
    skill("r", "a")
    skill("r", "b", "colour: red\n")
    result = cli("skills", "list", "--root", "r")
    assert [line.split()[0] for line in result.out.splitlines()] == ["name", "a"]
    assert "1 error in other skills: run `agentic-dsl skills validate`" in result.err
    assert result.code == 0


def test_without_roots_the_project_the_user_and_the_package_are_asked_in_this_order(cli: Cli, tmp_path: Path) -> None:
    skill("skills", "mine")
    skill(f"{tmp_path}/data/agentic-dsl/skills", "mine", description="The user's.")
    skill(f"{tmp_path}/data/agentic-dsl/skills", "yours")
    record = json.loads(cli("skills", "list", "--format", "json").out)
    found = {s["name"]: s["description"] for s in record["skills"]}
    assert found["mine"] == "Does a thing."
    assert "yours" in found
    assert record["roots"][:2] == [str(Path("skills").absolute()), f"{tmp_path}/data/agentic-dsl/skills"]
    assert record["roots"][2].endswith("library")


def test_a_folder_called_skills_without_skills_is_no_root(cli: Cli) -> None:
    write("skills/notes.md", "x")
    roots = json.loads(cli("skills", "list", "--format", "json").out)["roots"]
    assert str(Path("skills").absolute()) not in roots


def test_a_root_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    result = cli("skills", "list", "--root", "none")
    assert (result.code, result.out) == (2, "")
    assert "does not exist" in result.err


def test_show_prints_everything(cli: Cli) -> None:
    front = (
        'license: MIT\nallowed-tools: Read\nmetadata: {version: "1", tags: x, requires: "b>=1", tools: assets/t.json}\n'
    )
    skill("r", "a", front, "# Title\n\nRead references/x.md\x1b[31m\n")
    skill("r", "b", 'metadata: {version: "2"}\n')
    write("r/a/references/x.md", "the file\n")
    write("r/a/assets/t.json", '[{"name": "count"}]')
    out = cli("skills", "show", "a", "--root", "r").out
    for line in ("requires       b>=1", "tools          count", "license        MIT", "# Title"):
        assert line in out
    assert "references/x.md (9 B)" in out
    assert "\x1b" not in out
    record = json.loads(cli("skills", "show", "a", "--root", "r", "--format", "json").out)
    assert [tool["name"] for tool in record["tools"]] == ["count"]
    assert [r["path"] for r in record["resources"]] == ["references/x.md", "assets/t.json"]


def test_show_prints_one_file_of_a_skill(cli: Cli) -> None:
    skill("r", "a")
    write("r/a/references/x.md", "the file\n")
    record = json.loads(cli("skills", "show", "a", "--resource", "references/x.md", "--root", "r", "--format=json").out)
    assert record == {"name": "a", "path": "references/x.md", "bytes": 9, "text": "the file\n"}
    result = cli("skills", "show", "a", "--resource", "../SKILL.md", "--root", "r")
    assert result.code == 2
    assert "references/x.md" in result.err


def test_binary_files_are_printed_as_they_are(cli: Cli) -> None:
    skill("r", "a")
    Path("r/a/assets").mkdir()
    Path("r/a/assets/x.bin").write_bytes(b"text\n")
    assert cli("skills", "show", "a", "--resource", "assets/x.bin", "--root", "r").out == "text\n"
    Path("r/a/assets/x.bin").write_bytes(b"\x00\xff")
    result = cli("skills", "show", "a", "--resource", "assets/x.bin", "--root", "r", "--format", "json")
    assert result.code == 2


def test_an_unknown_skill_is_wrong_usage_with_the_right_name(cli: Cli) -> None:
    skill("r", "explain-words")
    result = cli("skills", "show", "explain-word", "--root", "r")
    assert result.code == 2
    assert '"explain-words"' in result.err


def test_findings_are_shown_with_line_caret_and_help(cli: Cli) -> None:
    skill("r", "a", "colour: red\n")
    result = cli("skills", "validate", "--root", "r")
    assert result.code == 1
    assert 'r/a/SKILL.md:4:1: error SKL104 skills have no key "colour"' in result.out
    assert "4 | colour: red" in result.out
    assert "| ^^^^^^" in result.out
    assert "help: " in result.out
    assert result.err == "1 skill: 1 error, 0 warnings\n"


def test_warnings_are_no_failure(cli: Cli) -> None:
    skill("r", "a", body="")
    result = cli("skills", "validate", "--root", "r")
    assert (result.code, result.err) == (0, "1 skill: 0 errors, 1 warning\n")


def test_findings_can_be_json(cli: Cli) -> None:
    skill("r", "a", "metadata: {requires: b}\n")
    skill("r", "c")
    result = cli("skills", "validate", "--root", "r", "--format", "json")
    record = json.loads(result.out)
    assert result.code == 1
    assert record["summary"] == {"skills": 2, "errors": 1, "warnings": 0}
    assert [(s["ok"], [d["code"] for d in s["diagnostics"]]) for s in record["skills"]] == [
        (False, ["SKL302"]),
        (True, []),
    ]
    assert record["skills"][0]["diagnostics"][0]["column"] == 22


def test_only_what_is_named_is_checked_and_may_require_the_roots(cli: Cli) -> None:
    skill("mine", "a", "metadata: {requires: b}\n")
    skill("r", "b")
    skill("r", "broken", "colour: red\n")
    for named in ("mine", "mine/a", "./mine/../mine/a"):
        result = cli("skills", "validate", named, "--root", "r")
        assert (result.code, result.out, result.err) == (0, "", "1 skill: 0 errors, 0 warnings\n")


def test_a_named_folder_without_a_skill_is_a_finding(cli: Cli) -> None:
    write("a/notes.md", "x")
    result = cli("skills", "validate", "a")
    assert result.code == 1
    assert "SKL001" in result.out
    assert cli("skills", "validate", "none").code == 2


def test_the_skills_of_the_package_have_no_findings(cli: Cli) -> None:
    assert cli("skills", "validate").code == 0


@pytest.mark.parametrize("name", ["a", "my-skill", "x" * 64])
def test_a_new_skill_has_no_findings(cli: Cli, name: str) -> None:
    result = cli("skills", "new", name, "--root", "deep/r")
    assert (result.code, result.out) == (0, f"deep/r/{name}/SKILL.md\n")
    result = cli("skills", "validate", "deep/r", "--root", "deep/r")
    assert (result.code, result.out) == (0, "")


def test_a_new_skill_is_found_without_a_root(cli: Cli) -> None:
    text = 'Says: "hello" #1 — 日本語\n- not a list'
    assert cli("skills", "new", "hello", "--description", text).code == 0
    record = json.loads(cli("skills", "show", "hello", "--format", "json").out)
    assert record["description"] == " ".join(text.split())


@pytest.mark.parametrize("name", ["A", "a--b", "-a", "../a", "x" * 65, ""])
def test_a_new_skill_needs_a_name_that_keeps_the_rules(cli: Cli, name: str) -> None:
    result = cli("skills", "new", "--root", "r", "--", name)
    assert result.code == 2
    assert "is no name of a skill" in result.err
    assert not Path("r").exists()


@pytest.mark.parametrize("description", [" ", "x" * 1025, "a\x1b[31m"])
def test_a_new_skill_needs_a_description_that_keeps_the_rules(cli: Cli, description: str) -> None:
    assert cli("skills", "new", "a", "--description", description).code == 2
    assert not Path("skills").exists()


def test_nothing_is_written_over(cli: Cli) -> None:
    skill("r", "a", body="mine\n")
    result = cli("skills", "new", "a", "--root", "r", "--format", "json")
    assert result.code == 2
    assert "is there already" in json.loads(result.out)["error"]["message"]
    assert "mine" in Path("r/a/SKILL.md").read_text()


def test_a_root_that_cannot_be_written_is_wrong_usage(cli: Cli) -> None:
    write("file", "x")
    assert cli("skills", "new", "a", "--root", "file").code == 2


def test_stats_are_a_table_and_json_and_a_plot(cli: Cli) -> None:
    pytest.importorskip("matplotlib")
    assert cli("skills", "stats").err.startswith("0 skills in ")
    usage = SkillUsage(cache_folder() / FILE)
    usage.record([SkillUse("planning", 1000, 900), SkillUse("writing", 500)], at=0.0)
    result = cli("skills", "stats", "--plot", "use.svg")
    assert result.out.splitlines() == [
        "skill     uses  hits  tokens  saved  share  last used           ".rstrip(),
        "planning     1  100%   1,000    900    90%  1970-01-01T00:00:00Z",
        "writing      1    0%     500      0     0%  1970-01-01T00:00:00Z",
    ]
    assert "wrote use.svg" in result.err
    assert "planning" in Path("use.svg").read_text(encoding="utf-8")
    record = json.loads(cli("skills", "stats", "--format", "json").out)
    assert record["skills"][0] == {
        "skill": "planning",
        "uses": 1,
        "hits": 1,
        "hit_rate": 1.0,
        "tokens": 1000,
        "tokens_saved": 900,
        "last_used": "1970-01-01T00:00:00Z",
    }


def test_stats_can_be_cleared_and_a_wrong_plot_clears_nothing(cli: Cli) -> None:
    usage = SkillUsage(cache_folder() / FILE)
    usage.record([SkillUse("a", 1)])
    assert cli("skills", "stats", "--plot", "x.pdf", "--clear").code == 2
    assert len(usage.totals()) == 1
    assert cli("skills", "stats", "--clear").code == 0
    assert usage.totals() == ()


def test_counts_that_cannot_be_cleared_are_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    SkillUsage(cache_folder() / FILE).record([SkillUse("a", 1)])
    monkeypatch.setattr(SkillUsage, "clear", lambda self: False)
    result = cli("skills", "stats", "--clear")
    assert result.code == 2
    assert "cannot be cleared" in result.err


@pytest.mark.parametrize("code", [code.code for code in SKILL_CODES])
def test_every_rule_for_skills_is_explained(cli: Cli, code: str) -> None:
    result = cli("rule", code)
    assert result.code == 0
    assert result.out.startswith(f"{code} ")
    assert "Bad:" in result.out
    assert "Good:" in result.out
    record = json.loads(cli("rule", code.lower(), "--format", "json").out)
    assert (record["code"], record["group"]) == (code, "skills")
