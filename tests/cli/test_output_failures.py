"""Results that find no place, and what progress shows of a text that looks like markup."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from conftest import EXAMPLES, ROOT, Cli

from agentic_dsl import Constraints, Sampling
from agentic_dsl.cli.generate import _progress, _Request
from agentic_dsl.cli.output import Output

DRY = ("generate", "Find a hotel.", "--dry-run")
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")


@needs_full
def test_a_device_that_is_full_is_named(cli: Cli) -> None:
    result = cli(*DRY, "-o", FULL)
    assert (result.code, result.out) == (2, "")
    assert "error: /dev/full cannot be written: No space left on device\nhelp: " in result.err


def test_a_file_name_that_is_too_long_is_named(cli: Cli) -> None:
    result = cli(*DRY, "-o", "a" * 300)
    assert (result.code, result.out) == (2, "")
    assert "cannot be written: File name too long" in result.err


def test_the_longest_file_name_there_may_be_can_be_written(cli: Cli, folder: Path) -> None:
    name = "a" * os.pathconf(folder, "PC_NAME_MAX")
    assert cli(*DRY, "-o", name).code == 0
    assert (folder / name).read_text(encoding="utf-8").startswith("--- prompt: system\n")


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        DRY,
        (*DRY, "--format", "json"),
        ("validate", EXAMPLES / "broken.md"),
        ("validate", EXAMPLES / "broken.md", "--format", "json"),
    ],
)
def test_standard_output_that_is_full_is_named_on_standard_error(arguments: tuple[object, ...], folder: Path) -> None:
    done = _to_full_device(arguments, folder)
    assert done.returncode == 2
    assert "the output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@needs_full
def test_a_failure_as_json_that_finds_no_place_goes_to_standard_error(folder: Path) -> None:
    done = _to_full_device(("validate", "nowhere.md", "--format", "json"), folder)
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["message"].startswith("nowhere.md ")


def _to_full_device(arguments: tuple[object, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    with FULL.open("w") as full:
        return subprocess.run(
            [sys.executable, "-m", "agentic_dsl.cli", *map(str, arguments)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("line", ["path\\[/INST]", "[/INST]", "a\\", "[bold]x", "[link=x", "\\[/]\\"])
def test_progress_shows_a_line_that_looks_like_markup_as_it_is(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stderr", Terminal())
    request = _Request("x", Constraints(), nullcontext, f"models/{line}", Sampling(), 1)  # type: ignore[arg-type]
    with _progress(Output(), request) as count:
        assert count is not None
        count(0, 3, f"one\n{line}\n")
    seen = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert f"3 tokens  \x1b[2m{line}\x1b[0m" in seen
