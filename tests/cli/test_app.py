"""The boundary: what goes wrong ends as a message, an exit code, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, Cli

from agentic_dsl.cli import app


def process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agentic_dsl.cli", *arguments]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | environment
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, encoding="utf-8")


def test_the_version_is_the_one_of_the_project(cli: Cli) -> None:
    result = cli("--version")
    assert (result.code, result.out.split()[0]) == (0, "agentic-dsl")
    assert result.out.split()[1][0].isdecimal()


def test_no_command_prints_help(cli: Cli) -> None:
    result = cli()
    assert "Usage: agentic-dsl" in result.out + result.err


@pytest.mark.parametrize(
    "arguments", [["validat"], ["validate"], ["fmt", "--frobnicate", "x.md"], ["compile", "--max-nodes", "x"]]
)
def test_wrong_usage_exits_with_2_and_a_hint(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert "help: " in result.err


@pytest.mark.parametrize("how", [["--format", "json"], ["--format=json"]])
def test_a_failure_is_one_json_object_where_json_is_asked_for(cli: Cli, how: list[str]) -> None:
    result = cli("validate", "nowhere.md", *how)
    assert result.code == 2
    assert json.loads(result.out)["error"]["message"] == "nowhere.md does not exist"
    assert set(json.loads(result.out)["error"]) == {"code", "message", "help"}


def test_json_can_be_asked_for_in_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_FORMAT", "json")
    assert json.loads(cli("validate", "nowhere.md").out)["error"]["code"] == "usage"


def test_an_unexpected_exception_is_called_a_bug(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: bool) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr(app, "build_app", broken)
    result = cli("--version")
    assert result.code == 2
    assert "this is a bug in agentic-dsl: RuntimeError: the moon is full" in result.err
    assert "AGENTIC_DSL_DEBUG=1" in result.err


def test_the_traceback_comes_on_request(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: bool) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr(app, "build_app", broken)
    monkeypatch.setenv("AGENTIC_DSL_DEBUG", "1")
    with pytest.raises(RuntimeError, match="the moon is full"):
        cli("--version")


def test_an_interruption_exits_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agentic_dsl.cli.models.output_of", interrupted)
    result = cli("models", "ls")
    assert (result.code, result.out) == (130, "")
    assert result.err == "interrupted\n"


def test_a_reader_that_leaves_ends_the_run_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agentic_dsl.cli schema | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_a_wrong_project_file_is_named_whatever_the_command(cli: Cli, folder: Path) -> None:
    (folder / "agentic-dsl.toml").write_text("max_node = 3\n", encoding="utf-8")
    result = cli("models", "ls")
    assert result.code == 2
    assert '"max_node" in' in result.err
    assert "help: write max-nodes" in result.err


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["config", "show"], ["validate", "examples/trip.md"]])
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom agentic_dsl.cli.app import run\n"
        f"run({arguments!r})\n"
        "print([m for m in ('torch', 'transformers', 'xgrammar', 'numpy', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_comes_soon(tmp_path: Path) -> None:
    """Aims at 0.3 s on a free machine; the bound leaves room for a busy one."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        assert process("--help", cwd=tmp_path).returncode == 0
        times.append(time.perf_counter() - started)
    assert min(times) < 1.5


def test_output_off_a_terminal_has_no_colour(tmp_path: Path) -> None:
    for arguments in (["--help"], ["validate", "nowhere.md"], ["config", "show"], ["compile", "--help"]):
        done = process(*arguments, cwd=tmp_path)
        assert "\x1b" not in done.stdout + done.stderr


def test_a_character_that_the_stream_cannot_hold_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "ä.md").write_bytes(b"")
    done = process("validate", "ä.md", "nö.md", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 2
    assert "n\\xf6.md does not exist" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered(tmp_path: Path, shell: str) -> None:
    typed = {"COMP_WORDS": "agentic-dsl val", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "agentic-dsl val"}
    wanted = {"_AGENTIC_DSL_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "validate" in process(cwd=tmp_path, **typed, **wanted).stdout
