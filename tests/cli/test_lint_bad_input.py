"""`lint` and what nobody meant to give it: files and folders that hold no text, lead nowhere or cannot be read."""

from __future__ import annotations

import builtins
import json
import os
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.span import MAX_BYTES

CLEAN = subgraph("- {id: done, type: end}")
FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")
RELATIVE = subgraph("- {id: work, type: assign, assign: {y: 1}, next: [done]}\n- {id: done, type: end}", path="/main/r")


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "clean.md").write_text(CLEAN, encoding="utf-8")
    return folder


def _codes(cli: Cli, *arguments: object) -> list[str]:
    record = json.loads(cli("lint", *arguments, "--format", "json").out)
    return [finding["code"] for file in record["files"] for finding in file["diagnostics"]]


# --- what a file holds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [b"\x7fELF\x02\x01\x01\x00\xff\xfe", b"\x89PNG\r\n\x1a\n", CLEAN.encode("utf-16"), b"\xc3", b"# \xed\xa0\x80\n"],
    ids=["program", "picture", "utf-16", "cut", "surrogate"],
)
def test_a_file_that_is_no_text_is_a_finding_with_its_place(cli: Cli, files: Path, raw: bytes) -> None:
    (files / "binary.md").write_bytes(raw)
    result = cli("lint", ".", "--fix", "--unsafe-fixes")
    assert result.code == 1
    assert "binary.md:1:" in result.out
    assert "ADL002" in result.out
    assert (files / "binary.md").read_bytes() == raw


def test_control_characters_of_a_file_do_not_reach_the_terminal(cli: Cli, files: Path) -> None:
    (files / "raw.md").write_text(CLEAN.replace("done", '"\x1b[2J\x07"'), encoding="utf-8")
    (files / "escaped.md").write_text(CLEAN.replace("done", r'"\e[2J\a"'), encoding="utf-8")
    for format_ in FORMATS:
        result = cli("lint", ".", "--format", format_)
        assert result.code == 1
        assert "escaped.md" in result.out
        assert not {"\x1b", "\x07"} & set(result.out), format_


def test_an_empty_file_and_one_of_a_mark_only_hold_no_block(cli: Cli, files: Path) -> None:
    (files / "empty.md").write_bytes(b"")
    (files / "mark.md").write_bytes(b"\xef\xbb\xbf")
    assert _codes(cli, "empty.md", "mark.md") == ["ADL003", "ADL003"]


def test_a_mark_line_ends_and_blanks_of_a_file_outlive_a_fix(cli: Cli, files: Path) -> None:
    raw = b"\xef\xbb\xbf" + (b"Prose  \t\n\n" + RELATIVE.encode() + b"\nThe end.   ").replace(b"\n", b"\r\n")
    (files / "x.md").write_bytes(raw)
    assert cli("lint", "x.md", "--fix").code == 0
    assert (files / "x.md").read_bytes() == raw.replace(b"[done]", b'["/main/r/done"]')


def test_a_huge_file_is_one_finding_and_is_read_no_further_than_the_limit(
    cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(files / "huge.md", "wb") as stream:
        stream.truncate(1 << 40)  # a hole: it takes no room, and nobody could read it to its end
    read: list[int] = []
    _watch_reads(monkeypatch, "huge.md", read)
    assert _codes(cli, "huge.md", "--no-cache") == ["ADL001"]
    assert cli("lint", "huge.md", "--fix").code == 1
    assert read == [MAX_BYTES + 1] * 2
    assert (files / "huge.md").stat().st_size == 1 << 40


def _watch_reads(monkeypatch: pytest.MonkeyPatch, name: str, sizes: list[int]) -> None:
    """Notes how much of a file is asked for, each time that it is read."""
    real = builtins.open

    def opened(file: Any, *arguments: Any, **options: Any) -> Any:
        stream = real(file, *arguments, **options)
        if not str(file).endswith(name):
            return stream
        return _Counted(stream, sizes)

    monkeypatch.setattr(builtins, "open", opened)


class _Counted:
    def __init__(self, stream: Any, sizes: list[int]) -> None:
        self._stream, self._sizes = stream, sizes

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        self._sizes.append(size)
        content: bytes = self._stream.read(size)
        return content


def test_a_text_at_the_limit_is_judged_and_one_byte_more_is_not(cli: Cli, files: Path) -> None:
    (files / "x.md").write_bytes(CLEAN.encode() + b"x" * (MAX_BYTES - len(CLEAN)))
    assert _codes(cli, "x.md") == []
    (files / "x.md").write_bytes(CLEAN.encode() + b"x" * (MAX_BYTES - len(CLEAN) + 1))
    assert _codes(cli, "x.md") == ["ADL001"]


# --- what a name means ------------------------------------------------------------------------------------------------


def test_links_that_go_round_are_walked_once(cli: Cli, files: Path) -> None:
    (files / "deep").mkdir()
    (files / "deep" / "up").symlink_to("..", target_is_directory=True)
    (files / "deep" / "self").symlink_to("self")
    (files / "deep" / "to.md").symlink_to("fro.md")
    (files / "deep" / "fro.md").symlink_to("to.md")
    (files / "deep" / "gone.md").symlink_to("nothing.md")
    result = cli("lint", ".")
    assert (result.code, result.err) == (0, "1 file: 0 errors, 0 warnings\n")
    assert cli("lint", "deep/up/deep/up/clean.md", "clean.md", ".").err.startswith("1 file:")


@pytest.mark.parametrize("target", ["loop.md", "nothing.md"], ids=["loop", "dangling"])
def test_a_link_that_leads_nowhere_is_called_so_where_it_is_named(cli: Cli, files: Path, target: str) -> None:
    (files / "loop.md").symlink_to(target)
    result = cli("lint", "loop.md")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: loop.md is a link that leads nowhere\nhelp: correct the link, or name the file itself\n"
    )


@pytest.mark.parametrize("name", ["", "no.md", "a\0b", "x" * 300, "d/" * 3_000, "clean.md/below.md"])
def test_a_name_that_means_no_file_is_a_failure_that_says_so(cli: Cli, files: Path, name: str) -> None:
    result = cli("lint", name)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert "help: " in result.err
    assert "bug" not in result.err


def test_a_folder_called_as_a_document_is_a_folder(cli: Cli, files: Path) -> None:
    (files / "folder.md").mkdir()
    assert cli("lint", ".").err == "1 file: 0 errors, 0 warnings\n"
    result = cli("lint", "folder.md")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: the folder folder.md holds no .md file")
    (files / "folder.md" / "x.md").write_text(RELATIVE)
    assert _codes(cli, ".") == ["ADL914"]


def test_a_socket_is_passed_over_in_a_folder_and_refused_by_name(cli: Cli, files: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.md")
        assert cli("lint", ".").code == 0
        result = cli("lint", "socket.md")
    assert result.code == 2
    assert result.err.startswith("error: socket.md cannot be read: ")


def test_a_pipe_is_passed_over_in_a_folder_and_read_by_name(cli: Cli, files: Path) -> None:
    os.mkfifo("pipe.md")
    assert cli("lint", ".").code == 0
    writer = threading.Thread(target=lambda: Path("pipe.md").write_text(RELATIVE))
    writer.start()
    found = _codes(cli, "pipe.md")
    writer.join()
    assert found == ["ADL914"]


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "junit"])
def test_a_name_that_is_no_text_breaks_no_format(files: Path, format_: str) -> None:
    (files / os.fsdecode(b"\xff.md")).write_text(RELATIVE)
    command = [sys.executable, "-m", "agentic_dsl.cli", "lint", ".", "--format", format_]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 1, result.stderr
    assert b"ADL914" in result.stdout
    assert b"\xff" not in result.stdout
    if format_ in ("json", "sarif", "gitlab"):
        json.loads(result.stdout)
    if format_ == "junit":
        ElementTree.fromstring(result.stdout)


def test_names_with_line_ends_and_control_characters_break_no_format(cli: Cli, files: Path) -> None:
    for name in ("a\n::error::b.md", "<&>\x1b.md"):
        (files / name).write_text(RELATIVE.replace("/main/r", f"/main/r{len(name)}"))
    for format_ in FORMATS:
        result = cli("lint", ".", "--format", format_)
        assert result.code == 1, format_
        assert not any(line.startswith("::error::b") for line in result.out.splitlines()), format_
        assert "\x1b" not in result.out


# --- what cannot be read ----------------------------------------------------------------------------------------------


def _refusing(monkeypatch: pytest.MonkeyPatch, name: str, error: Callable[[], OSError]) -> None:
    """Opening a file fails, as it does for users whom its mode shuts out (tests may run as one whom none does)."""
    real = builtins.open

    def opened(file: Any, *arguments: Any, **options: Any) -> Any:
        if str(file).endswith(name):
            raise error()
        return real(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", opened)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (lambda: PermissionError(13, "Permission denied"), "Permission denied"),
        (lambda: FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (lambda: OSError(5, "Input/output error"), "Input/output error"),
    ],
    ids=["shut", "vanished", "broken"],
)
@pytest.mark.parametrize("flags", [(), ("--fix",), ("--diff",), ("--no-cache",)], ids=lambda flags: "".join(flags))
def test_a_file_that_cannot_be_read_or_vanishes_is_a_failure_with_its_name(
    cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch, error: Callable[[], OSError], said: str, flags: Any
) -> None:
    (files / "shut.md").write_text(RELATIVE)
    _refusing(monkeypatch, "shut.md", error)
    result = cli("lint", ".", *flags)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: shut.md cannot be read: {said}\nhelp: name a file that can be read\n"


def test_a_folder_that_cannot_be_listed_is_a_failure_and_not_an_empty_one(
    cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "shut").mkdir()
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    result = cli("lint", ".")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ./shut cannot be read: Permission denied\n")


def test_a_file_that_cannot_be_looked_at_is_a_failure(cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def stat(self: Path, **options: Any) -> Any:
        if self.name == "clean.md":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    result = cli("lint", "clean.md")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: clean.md cannot be read: Permission denied")


def test_a_file_that_cannot_be_written_is_a_failure_and_stays_as_it_is(
    cli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "x.md").write_text(RELATIVE)

    def replace(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", replace)
    result = cli("lint", ".", "--fix")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: x.md cannot be written: Permission denied\n")
    assert (files / "x.md").read_text() == RELATIVE
    assert sorted(os.listdir(files)) == ["clean.md", "x.md"], "nothing is left beside it"
