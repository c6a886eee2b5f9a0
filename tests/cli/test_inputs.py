"""Files, folders and standard input, and what can be wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.cli.inputs import document_files, read_document, read_json
from agentic_dsl.cli.output import write_file
from agentic_dsl.errors import UsageError


def test_a_folder_stands_for_its_documents(folder: Path) -> None:
    for name in ("b.md", "a/c.md", "a/d.txt"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    assert document_files(["."]) == ["a/c.md", "b.md"]
    assert document_files(["b.md", ".", "-", "a/d.txt"]) == ["b.md", "a/c.md", "-", "a/d.txt"]


def test_a_folder_without_documents_is_named(cli: Cli, folder: Path) -> None:
    (folder / "empty").mkdir()
    result = cli("validate", "empty")
    assert result.code == 2
    assert "the folder empty holds no .md file" in result.err


def test_a_file_that_is_no_text_has_a_finding_with_its_place(folder: Path) -> None:
    (folder / "bad.md").write_bytes(b"ok \xc3\xa4\n  \xff\xfe\n")
    document = read_document("bad.md")
    (finding,) = document.diagnostics
    assert finding.code == "ADL002"
    assert document.source.position(finding.span.start) == (2, 3)
    assert "0xff" in finding.message


def test_a_huge_file_is_refused_without_reading_all_of_it(folder: Path) -> None:
    (folder / "huge.md").write_bytes("ä".encode() * (5 << 20))
    document = read_document("huge.md")
    assert [d.code for d in document.diagnostics] == ["ADL001"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a": }', "line 1, column 7"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b"", "is not JSON"),
    ],
)
def test_a_json_file_that_cannot_be_read_is_named(folder: Path, raw: bytes, message: str) -> None:
    (folder / "x.json").write_bytes(raw)
    with pytest.raises(UsageError, match=r"the tools file x\.json") as caught:
        read_json("x.json", "the tools file")
    assert message in caught.value.message


def test_a_file_is_replaced_in_one_step_and_keeps_its_permissions(folder: Path) -> None:
    file = folder / "x.md"
    file.write_text("old")
    file.chmod(0o640)
    write_file(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    assert os.listdir(folder) == ["x.md"]


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "real.md").write_text("old")
    (folder / "link.md").symlink_to("real.md")
    write_file(Path("link.md"), "new")
    assert (folder / "link.md").is_symlink()
    assert (folder / "real.md").read_text() == "new"


def test_a_file_that_cannot_be_written_is_named(folder: Path) -> None:
    for target in ("no/such/folder.md", "."):
        with pytest.raises(UsageError):
            write_file(Path(target), "x")


def test_nothing_is_left_behind_when_writing_is_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.md").write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(folder / "x.md", "new")
    assert os.listdir(folder) == ["x.md"]
    assert (folder / "x.md").read_text() == "old"
