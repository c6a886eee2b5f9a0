"""Runs command lines in this process, with streams and environment of their own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentic_dsl.cli.app import run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@dataclass
class Result:
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; no settings from outside, caches of its own."""
    for name in list(os.environ):
        if name.startswith("AGENTIC_DSL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTIC_DSL_CACHE_DIR", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs one command line: ``cli("validate", "-", stdin="…")``."""

    def call(*arguments: object, stdin: str | bytes = "") -> Result:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def example(folder: Path) -> Callable[[str], Path]:
    """Copies an example into the working folder and gives its relative path."""

    def copy(name: str) -> Path:
        target = Path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((EXAMPLES / name).read_bytes())
        return target

    return copy
