"""Which files ``lint`` reads, and what they are called: folders, links, names that are no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.cli.inputs import document_files
from agentic_dsl.cli.lint import LintFormat
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.errors import UsageError

STYLE = subgraph("- {id: Work, type: assign, assign: {y: 1}, next: [/main/p/done]}\n- {id: done, type: end}")


@pytest.fixture
def tree(folder: Path) -> Path:
    for name in ("b.md", "a/z.md", "a/y/x.md", ".hidden/h.md", "a/readme.txt", "a/.md", "a.d/q.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(STYLE, encoding="utf-8")
    return folder


def test_a_folder_means_its_documents_at_any_depth_in_order_of_name(tree: Path) -> None:
    expected = [".hidden/h.md", "a.d/q.md", "a/y/x.md", "a/z.md", "b.md"]
    assert document_files(["."]) == expected
    assert document_files(["./"]) == expected
    assert document_files([str(tree)]) == [str(tree / name) for name in expected]
    assert document_files(["a/../a"]) == ["a/../a/y/x.md", "a/../a/z.md"]


def test_a_folder_without_documents_is_said(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(UsageError, match=r"the folder empty holds no \.md file"):
        document_files(["empty"])


def test_links_to_files_are_read_and_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "a" / "link.md").symlink_to(tree / "b.md")
    (tree / "a" / "dangling.md").symlink_to(tree / "nowhere.md")
    (tree / "a" / "folder.md").mkdir()
    assert document_files(["a"]) == ["a/link.md", "a/y/x.md", "a/z.md"]


def test_a_file_that_is_named_through_a_linked_folder_too_is_linted_once(cli: Cli, tree: Path) -> None:
    (tree / "other").symlink_to(tree / "a")
    record = json.loads(cli("lint", "a/z.md", "other/z.md", "./a/z.md", "--format", "json").out)
    assert [file["path"] for file in record["files"]] == ["a/z.md"]


def test_a_name_that_is_no_text_breaks_no_format(folder: Path) -> None:
    try:
        Path(os.fsdecode(b"\xff x.md")).write_text(STYLE, encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes no such name")
    for format in LintFormat:
        command = [sys.executable, "-m", "agentic_dsl.cli", "lint", ".", "--format", format, "--no-cache"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"ADL851" in done.stdout
        assert b"Traceback" not in done.stderr
