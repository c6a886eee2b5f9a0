"""`lint --watch`: a change is linted, mistakes do not end it, an interrupt does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from agentic_dsl.cli.lint_watch import CLEAR, Watched
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.errors import UsageError

CLEAN = subgraph("- {id: done, type: end}")
STYLE = subgraph("- {id: Work, type: assign, assign: {y: 1}, next: [/main/p/done]}\n- {id: done, type: end}")

pytest.importorskip("watchfiles")


class Watching:
    """A running `lint --watch`, and what it has printed."""

    def __init__(self, folder: Path, *arguments: str, stdout: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "agentic_dsl.cli", "lint", "--watch", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # A shell that starts jobs in the background has them ignore interrupts, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.out, self.err = bytearray(), bytearray()
        streams = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._readers = [threading.Thread(target=self._read, args=row) for row in streams if row[0] is not None]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: object, into: bytearray) -> None:
        while part := os.read(stream.fileno(), 65536):  # type: ignore[attr-defined]
            into += part

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, (bytes(self.out), bytes(self.err))
            assert self.process.poll() is None, (bytes(self.out), bytes(self.err))
            time.sleep(0.02)

    def until_run(self, number: int) -> None:
        self.until(lambda: self.err.count(b"watching") >= number)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join()
        return code


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def begin(*arguments: str, stdout: int = subprocess.PIPE) -> Watching:
        started.append(Watching(folder, *arguments, stdout=stdout))
        return started[-1]

    yield begin
    for watching in started:
        if watching.process.poll() is None:
            watching.process.kill()
        watching.process.wait()
        for stream in (watching.process.stdout, watching.process.stderr):
            if stream is not None:
                stream.close()


def test_what_changes_is_linted_again_until_an_interrupt(folder: Path, start: Callable[..., Watching]) -> None:
    lib = folder / "lib"
    lib.mkdir()
    (lib / "a.md").write_text(CLEAN, encoding="utf-8")
    watching = start("lib")
    watching.until_run(1)
    (lib / "a.md").write_text(STYLE, encoding="utf-8")
    watching.until_run(2)
    assert b"ADL851" in watching.out
    assert CLEAR.encode() not in watching.out, "only a terminal is cleared"
    assert b"lib/a.md changed" in watching.err
    (lib / "deeper").mkdir()
    (lib / "deeper" / "b.md").write_text(STYLE.replace("/main/p", "/main/q"), encoding="utf-8")
    watching.until(lambda: b"lib/deeper/b.md:" in watching.out)
    (lib / "notes.txt").write_text("no document", encoding="utf-8")
    (lib / "agentic-dsl.toml").write_text("", encoding="utf-8")
    watching.until(lambda: b"agentic-dsl.toml changed" in watching.err)
    assert b"notes.txt" not in watching.err
    assert watching.interrupt() == 130
    assert watching.err.endswith(b"interrupted\n")
    assert b"Traceback" not in watching.err


def test_a_mistake_that_is_made_meanwhile_is_shown_and_mended(folder: Path, start: Callable[..., Watching]) -> None:
    (folder / "a.md").write_text(CLEAN, encoding="utf-8")
    watching = start("a.md", "--format", "concise")
    watching.until_run(1)
    (folder / "a.md").unlink()
    watching.until(lambda: b"error: a.md does not exist" in watching.err)
    (folder / "new.md").write_text(STYLE, encoding="utf-8")
    (folder / "new.md").rename(folder / "a.md")
    watching.until(lambda: b"a.md:" in watching.out)
    assert watching.interrupt() == 130


def test_a_terminal_is_cleared_before_each_run(folder: Path, start: Callable[..., Watching]) -> None:
    (folder / "a.md").write_text(CLEAN, encoding="utf-8")
    master, slave = pty.openpty()
    watching = start("a.md", stdout=slave)
    os.close(slave)
    watching.until_run(1)
    assert os.read(master, 4096).startswith(CLEAR.encode())
    watching.interrupt()
    os.close(master)


@pytest.mark.parametrize("option", ["--fix", "--diff", "--format=json", "--format=sarif"])
def test_watching_is_for_people(cli: Cli, folder: Path, option: str) -> None:
    (folder / "a.md").write_text(CLEAN, encoding="utf-8")
    result = cli("lint", "a.md", "--watch", option)
    assert result.code == 2
    assert "--watch" in result.out + result.err


def test_standard_input_and_what_is_not_there_cannot_be_watched(cli: Cli, folder: Path) -> None:
    assert "standard input cannot be watched" in cli("lint", "-", "--watch").err
    assert "no.md does not exist" in cli("lint", "no.md", "--watch").err


def test_without_the_library_the_extra_is_named(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.md").write_text(CLEAN, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    result = cli("lint", "a.md", "--watch")
    assert (result.code, result.err.splitlines()[-1]) == (2, "help: install it with: pip install 'agentic-dsl[watch]'")


def test_only_documents_and_named_files_count(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "one.txt").touch()
    watched = Watched.of(["lib", "one.txt"])
    root = os.path.realpath(folder)
    assert watched.folders == (f"{root}/lib", root)
    counted = [
        n for n in ("lib/x/a.md", "lib/a.txt", "one.txt", "two.md", "library.md") if watched.counts(f"{root}/{n}")
    ]
    assert counted == ["lib/x/a.md", "one.txt"]
    (folder / "lib" / "new").mkdir()
    assert watched.counts(f"{root}/lib/new")
    with pytest.raises(UsageError):
        Watched.of(["-"])
