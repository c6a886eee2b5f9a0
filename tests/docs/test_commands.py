"""Runs every command of the README and the docs, and compares what it prints with what is quoted.

In a ``console`` or ``bash`` block each line that begins with ``$ `` is a command; a backslash at its end goes on in
the next. What follows is what it prints, stdout and stderr as a terminal shows them; ``…`` stands for any text
in a line, alone on a line for any lines. Words after ``console``: ``exit=N`` or ``exit=0|1`` are the exit codes of the
last command (0 is that of all others), ``needs=model`` a reason to skip. The blocks of a page run in one folder, in
order, which begins with a copy of ``examples/``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[ \t]*([^\n]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)

RECURSIVE = ("make test", "make check", ".ci/run", "make bench", "make venv", "make clean")
"""Commands that run this test, or make the environment it runs in: only that they exist is looked at."""


@dataclass
class Command:
    text: str
    expected: list[str] = field(default_factory=list)
    exits: tuple[int, ...] = (0,)


@dataclass
class Block:
    line: int
    language: str
    commands: list[Command]
    source: str
    needs: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, words, body = match[1], dict(w.split("=", 1) for w in match[2].split() if "=" in w), match[3]
        line = text.count("\n", 0, match.start()) + 1
        commands: list[Command] = []
        if language in ("console", "bash"):
            commands = parse_console(body)
            assert commands, f"{page.name}:{line}: a {language} block without a command: begin commands with '$ '"
            commands[-1].exits = tuple(int(code) for code in words.get("exit", "0").split("|"))
        if commands or language == "python":
            found.append(Block(line, language, commands, body, words.get("needs")))
    return found


def parse_console(body: str) -> list[Command]:
    commands: list[Command] = []
    goes_on = False
    for line in body.splitlines():
        if goes_on:
            commands[-1].text += "\n" + line
        elif line.startswith("$ "):
            commands.append(Command(line[2:]))
        elif commands:
            commands[-1].expected.append(line)
            continue
        goes_on = line.endswith("\\")
    return commands


def pattern_of(expected: list[str]) -> re.Pattern[str]:
    parts = [
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n"
        for line in expected
    ]
    return re.compile("".join(parts))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with ``agentic-dsl`` and ``python`` of this interpreter, caches of its own, and no settings."""
    folder = tmp_path_factory.mktemp("shell")
    for name, arguments in (("agentic-dsl", "-m agentic_dsl.cli"), ("python", "")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    (folder / "made").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_DSL_")}
    models = os.environ.get("AGENTIC_DSL_MODELS_DIR")
    return (
        kept
        | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        | {"AGENTIC_DSL_CACHE_DIR": str(folder / "cache"), "SHELL_FOLDER": str(folder), "COLUMNS": "80"}
        | ({"AGENTIC_DSL_MODELS_DIR": models} if models else {})
    )


def run(command: str, folder: Path, shell: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=shell,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=850,
        check=False,
    )
    return done.returncode, done.stdout


def in_this_environment(command: str, folder: Path) -> str:
    """A make target of the README, run with this interpreter instead of a ``.venv`` that it would make."""
    if not command.startswith("make "):
        return command
    settings = f'BIN="$SHELL_FOLDER" STAMP="$SHELL_FOLDER/made" DEMO_PLAN={shlex.quote(str(folder))}/plan.md'
    return f"{command} --no-print-directory -C {shlex.quote(str(ROOT))} {settings}"


def has_model() -> bool:
    from agentic_dsl.runtime.models import model_path

    return model_path("smollm2") is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_says_what_happens(page: Path, tmp_path: Path, shell: dict[str, str]) -> None:
    assert "@@" not in page.read_text(encoding="utf-8"), f"{page.name} holds a quote that was never filled in"
    found = blocks(page)
    if not found:
        return  # a page without commands has nothing that could be wrong
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    skipped = []
    for block in found:
        if block.needs == "model" and not has_model():
            skipped.append(f"line {block.line} needs the embedded model")
            continue
        if block.language == "python":
            (tmp_path / "example.py").write_text(block.source, encoding="utf-8")
            code, printed = run("python example.py", tmp_path, shell)
            assert code == 0, f"{page.name}:{block.line}: the example fails:\n{printed}"
        for command in block.commands:
            check(command, f"{page.name}:{block.line}", tmp_path, shell)
    if skipped:
        pytest.skip("; ".join(skipped))


def check(command: Command, where: str, folder: Path, shell: dict[str, str]) -> None:
    if command.text in RECURSIVE:
        target = command.text.removeprefix("make ")
        known = (ROOT / command.text).exists() or f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
        assert known, f"{where}: there is no {command.text}"
        return
    code, printed = run(in_this_environment(command.text, folder), folder, shell)
    assert code in command.exits, f"{where}: `{command.text}` exits with {code}:\n{printed}"
    if command.expected:
        whole = "".join(line.rstrip() + "\n" for line in printed.rstrip().splitlines())
        assert pattern_of(command.expected).fullmatch(whole), (
            f"{where}: `{command.text}` prints\n{whole}\ninstead of\n" + "\n".join(command.expected)
        )
