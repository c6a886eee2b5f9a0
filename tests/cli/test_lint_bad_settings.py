"""`lint` and settings or comments that cannot be used: each is named with its place and with what is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.cli.toml_lines import line_of
from agentic_dsl.compiler.lint.examples import subgraph

CLEAN = subgraph("- {id: done, type: end}")
FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")
RELATIVE = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [done]}\n- {id: done, type: end}", path="/main/r")


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "clean.md").write_text(CLEAN, encoding="utf-8")
    return folder


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "said", "allowed"),
    [
        ("\n[lint]\n# a remark\nselekt = []\n", 4, '"selekt" in [lint]', "select, ignore, exclude, per-file-ignores"),
        ("lint = 3\n", 1, "lint in ", "[lint]"),
        ('[lint]\nignore = []\nselect = "ADL9"\n', 3, "select in [lint]", 'select = ["ADL2", "ADL301"]'),
        ("[lint]\nselect = [\n  'ADL9',\n  'ADL777',\n]\n", 2, '"ADL777" in select', "ADL"),
        ("[lint]\nexclude = [1]\n", 2, "exclude in [lint]", "exclude = ["),
        ('[lint.per-file-ignores]\n"a.md" = ["ADL8"]\n"b.md" = 3\n', 1, "b.md in per-file-ignores", '"b.md" = ["ADL2"'),
        ("[lint]\nper_file_ignores = 1\n", 2, "per-file-ignores in [lint]", 'per-file-ignores = { "lib/'),
        ("lint.ignore = 7\n", 1, "ignore in [lint]", "ignore = ["),
    ],
)
def test_a_setting_of_lint_that_cannot_be_used_is_named_with_its_line_and_what_is_allowed(
    cli: Cli, files: Path, text: str, line: int, said: str, allowed: str
) -> None:
    (files / "agentic-dsl.toml").write_text(text)
    result = cli("lint", "clean.md")
    assert (result.code, result.out) == (2, "")
    message, help_ = result.err.splitlines()
    assert message.startswith(f"error: {said}")
    assert f"agentic-dsl.toml:{line}" in message
    assert help_.startswith("help: ")
    assert allowed in help_


def test_a_setting_in_the_file_of_a_project_is_found_there(cli: Cli, files: Path) -> None:
    (files / "pyproject.toml").write_text(
        '[project]\nname = "x"\n\n[tool.agentic-dsl]\nmode = "strict"\n\n[tool.agentic-dsl.lint]\nselect = ["ADL777"]\n'
    )
    assert "pyproject.toml:8 names no rule" in cli("lint", "clean.md").err


def test_a_file_of_settings_that_is_no_toml_is_refused_with_line_and_column(cli: Cli, files: Path) -> None:
    (files / "agentic-dsl.toml").write_text('[lint]\nselect = ["ADL9"\nignore = []\n')
    result = cli("lint", "clean.md")
    assert result.code == 2
    assert "agentic-dsl.toml is not TOML" in result.err
    assert "line 3, column 1" in result.err


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\x00", b"[lint]\n\x01 = 1"])
def test_a_binary_file_of_settings_is_refused(cli: Cli, files: Path, raw: bytes) -> None:
    (files / "agentic-dsl.toml").write_bytes(raw)
    result = cli("lint", "clean.md")
    assert (result.code, "agentic-dsl.toml is not TOML" in result.err) == (2, True)


def test_wrong_words_on_the_command_line_name_those_that_are_allowed(cli: Cli, files: Path) -> None:
    result = cli("lint", "clean.md", "--format", "xml")
    assert result.code == 2
    assert all(name in result.err for name in FORMATS)
    assert "'strict', 'lenient'" in cli("lint", "clean.md", "--mode", "loose").err


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("a",), 2),
        (("b",), 3),
        (("t",), 7),
        (("t", "c"), 8),
        (("t", "c", "d"), 8),
        (("u", "v"), 9),
        (("u", "v", "e"), 10),
        (("none",), None),
        (("a", "deeper"), None),
    ],
)
def test_keys_of_toml_are_found_on_the_lines_where_they_begin(keys: tuple[str, ...], line: int | None) -> None:
    text = '# first\na = 1\nb = """\na = 2\n[t]\n"""\n[t]\nc = {d = 1}\n[u.v]\n"e" = [\n 1,\n]\n'
    assert line_of(text, *keys) == line


# --- comments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("<!-- adl: -->", "the comment says nothing"),
        ("<!-- adl:ignore -->", "the comment names no code"),
        ("<!-- adl: ignore -- for now -->", "the comment names no code"),
        ("<!-- adl: igonre ADL914 -->", '"igonre" is no instruction'),
        ("<!-- adl: ignore ADL914", "the comment is not closed on its line"),
        ("<!-- adl: ignore\nADL914 -->", "the comment is not closed on its line"),
        ("<!-- adl: ignore ADL777 -->", '"ADL777" names no rule'),
        ("<!-- adl: ignore-file ,, -->", "the comment names no code"),
        ("<!-- adl: ignore \x1b[2J -->", "names no rule"),
        ("<!-- adl: ignore 你好 -->", '"你好" names no rule'),
    ],
)
def test_a_broken_suppression_leaves_nothing_out_and_is_a_finding_on_its_line(
    cli: Cli, files: Path, comment: str, said: str
) -> None:
    (files / "x.md").write_text(f"Prose.\n\n{comment}\n\n{RELATIVE}", encoding="utf-8")
    result = cli("lint", "x.md", "--format", "json")
    [file] = json.loads(result.out)["files"]
    found = {finding["code"]: finding for finding in file["diagnostics"]}
    assert result.code == 1
    assert {"ADL992", "ADL914"} == found.keys()
    assert found["ADL992"]["line"] == 3
    assert said in found["ADL992"]["message"]


def test_a_suppression_with_nothing_behind_it_is_broken(cli: Cli, files: Path) -> None:
    (files / "x.md").write_text(f"{CLEAN}\n<!-- adl: ignore ADL914 -->\n")
    result = cli("lint", "x.md")
    assert (result.code, "no block follows the comment" in result.out) == (1, True)


def test_a_comment_of_a_megabyte_and_a_hundred_thousand_comments_are_read_at_once(cli: Cli, files: Path) -> None:
    (files / "long.md").write_text(f"<!-- adl: ignore {'x' * 1_000_000} -->\n\n{CLEAN}")
    assert cli("lint", "long.md").code == 1
    (files / "open.md").write_text("<!-- adl: " * 100_000 + f"\n\n{CLEAN.replace('/main/p', '/main/o')}")
    assert cli("lint", "open.md").code == 1
