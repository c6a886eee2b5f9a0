"""The workflows of docs/ci.md run, and the hooks for pre-commit do what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic_dsl.codes import ALL_CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}

ENTRY = """### AgenticDSL `/lib/travel/currency`
```yaml
# --- BEGIN AgenticDSL ---
signature: "(amount: number, from: string) -> {amount: number}"
version: "1.0"
# --- END AgenticDSL ---
```
"""
CLEAN = "Converts money between two currencies, at the rate of today.\n\n" + ENTRY
UNTIDY = CLEAN.replace('version: "1.0"', 'version:    "1.0"')
BROKEN = CLEAN.replace("{amount: number}", "{amount: money}")
PROSE = "# A page\n\nIt holds no subgraph.\n"


def workflows() -> dict[str, Any]:
    """The YAML of the page, by its first key."""
    found = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
    return {next(iter(part)): part for part in found}


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment with ``agentic-dsl`` on the path, caches of its own, and no settings of this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "agentic-dsl"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m agentic_dsl.cli "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_DSL_")}
    cache = tmp_path / "work" / ".cache" / "agentic-dsl"
    return kept | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "AGENTIC_DSL_CACHE_DIR": str(cache),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


@pytest.fixture
def checkout(tmp_path: Path, shell: dict[str, str]) -> Path:
    """A clone of a repository with a library, on a branch that adds an input."""
    origin, work = tmp_path / "origin", tmp_path / "work"
    (origin / "lib").mkdir(parents=True)
    (origin / "lib" / "currency.md").write_text(CLEAN, encoding="utf-8")
    names = "-c user.name=a -c user.email=a@example.org -c commit.gpgsign=false"
    run(f"git init -q -b main && git add . && git {names} commit -q -m one", origin, shell)
    run(f"git clone -q {shlex.quote(str(origin))} {shlex.quote(str(work))}", tmp_path, shell)
    change(work, "from: string", "from: string, to?: string", version="1.1")
    return work


def change(work: Path, old: str, new: str, *, version: str = "1.0") -> None:
    text = CLEAN.replace(old, new).replace('"1.0"', f'"{version}"')
    (work / "lib" / "currency.md").write_text(text, encoding="utf-8")


def run(command: str, folder: Path, shell: dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=shell | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def github_steps() -> Iterator[tuple[str, dict[str, str]]]:
    """What the steps run that use the toolkit, each with its own environment."""
    given = {"github.base_ref": "main"}
    for step in workflows()["name"]["jobs"]["library"]["steps"]:
        if "run" in step and step["name"] != "Install":
            own = {
                name: re.sub(r"\$\{\{ (\S+) \}\}", lambda match: given[match[1]], value)
                for name, value in step.get("env", {}).items()
            }
            yield step["run"], own


def test_every_command_of_the_workflows_is_run_by_these_tests() -> None:
    gitlab = [line for line in workflows()["library"]["library"]["script"] if line.startswith("agentic-dsl ")]
    github = [line for script, _ in github_steps() for line in script.splitlines() if line.startswith("agentic-dsl ")]
    written = [
        match for part in ("name", "library") for match in re.findall(r"agentic-dsl (?:lint|diff|fmt) ", _text(part))
    ]
    assert len(gitlab) + len(github) == len(written) == 8


def _text(part: str) -> str:
    return yaml.safe_dump(workflows()[part], width=10_000)


def test_the_github_workflow_runs_and_keeps_its_cache(checkout: Path, shell: dict[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        for script, own in github_steps():
            done = run(script, checkout, shell, **own)
            assert done.returncode == 0, (script, done.stdout, done.stderr)
    log = json.loads((checkout / "lint.sarif").read_text(encoding="utf-8"))
    assert log["version"] == "2.1.0"
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| `/lib/travel/currency` | 1.0 → 1.1 | additive: " in summary
    [cached] = [path for path in _cached_paths() if "lint" in path]
    assert len(list((checkout / cached).glob("*.json"))) == 1, "two runs over the same files are one entry"


def _cached_paths() -> list[str]:
    steps = workflows()["name"]["jobs"]["library"]["steps"]
    paths: str = next(step["with"]["path"] for step in steps if step.get("uses", "").startswith("actions/cache"))
    return paths.split()


def test_the_github_workflow_fails_where_a_change_breaks(checkout: Path, shell: dict[str, str]) -> None:
    change(checkout, "from: string", "from: string, to: string", version="1.1")
    *_, (script, own) = github_steps()
    done = run(script, checkout, shell, **own)
    assert done.returncode == 1
    assert "::error title=ADC201 required-input-added,file=lib/currency.md,line=6" in done.stdout
    change(checkout, "{amount: number}", "{amount: money}")
    first, _ = next(github_steps())
    assert run(first, checkout, shell).returncode == 1
    assert json.loads((checkout / "lint.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]


def test_the_gitlab_job_runs_and_writes_its_reports(checkout: Path, shell: dict[str, str]) -> None:
    job = workflows()["library"]["library"]
    base = run("git rev-parse origin/main", checkout, shell).stdout.strip()
    assert len(base) == 40
    for line in job["script"]:
        done = run(line, checkout, shell, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    reports = job["artifacts"]["reports"]
    assert isinstance(json.loads((checkout / reports["codequality"]).read_text(encoding="utf-8")), list)
    assert ElementTree.parse(checkout / reports["junit"]).getroot().tag == "testsuites"


# --- pre-commit ------------------------------------------------------------------------------------------------------


def hook(name: str, folder: Path, shell: dict[str, str], *files: str) -> subprocess.CompletedProcess[str]:
    """Runs a hook as pre-commit does: its entry, its arguments, the files."""
    row = HOOKS[name]
    command = " ".join([row["entry"], *map(shlex.quote, (*row.get("args", ()), *files))])
    return run(command, folder, shell)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    for name, text in {"clean": CLEAN, "untidy": UNTIDY, "broken": BROKEN, "README": PROSE}.items():
        (work / f"{name}.md").write_text(text, encoding="utf-8")
    return work


def test_the_page_names_hooks_that_there_are() -> None:
    assert set(HOOKS) == {"agentic-dsl-lint", "agentic-dsl-fmt", "agentic-dsl-validate"}
    named = {row["id"] for repo in workflows()["repos"]["repos"] for row in repo["hooks"]}
    assert named <= set(HOOKS)
    assert all(name in PAGE for name in HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_looks_at_markdown_only(name: str) -> None:
    row = HOOKS[name]
    assert (row["language"], row["types"], row.get("pass_filenames", True)) == ("python", ["markdown"], True)
    assert re.search(row["files"], "lib/travel/currency.md")
    assert not re.search(row["files"], "lib/travel/currency.mdx")
    assert set(row) <= {"id", "name", "description", "entry", "args", "language", "files", "types", "require_serial"}


def test_the_rules_that_a_hook_leaves_out_exist() -> None:
    names = [word for row in HOOKS.values() for word in row.get("args", ()) if not word.startswith("-")]
    assert set(names) <= {code.name for code in ALL_CODES}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_passes_what_is_in_order(name: str, folder: Path, shell: dict[str, str]) -> None:
    done = hook(name, folder, shell, "clean.md", "README.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "clean.md").read_text(encoding="utf-8") == CLEAN
    assert (folder / "README.md").read_text(encoding="utf-8") == PROSE


@pytest.mark.parametrize("name", ["agentic-dsl-lint", "agentic-dsl-validate"])
def test_a_hook_stops_what_is_broken(name: str, folder: Path, shell: dict[str, str]) -> None:
    done = hook(name, folder, shell, "clean.md", "broken.md")
    assert done.returncode == 1
    assert "broken.md:" in done.stdout


def test_the_hook_for_the_layout_mends_files(folder: Path, shell: dict[str, str]) -> None:
    assert hook("agentic-dsl-fmt", folder, shell, "untidy.md").returncode == 0
    assert (folder / "untidy.md").read_text(encoding="utf-8") == CLEAN
