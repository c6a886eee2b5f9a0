"""Lint as people and CI run it: ``python -m benchmarks.bench_lint [--cfn-lint COMMAND]``.

Whole processes in turns, so that all of them meet the same machine: ``agentic-dsl --version`` (what any command costs),
``lint`` of the library of `lint_library` with its cache removed and with nothing changed, ``lint`` of one file of 20
nodes; beside them the same file in a process that has started, as a language server lints it. With ``--cfn-lint``,
cfn-lint checks a template of as many resources as the library has nodes, once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from benchmarks.documents import block
from benchmarks.lint_library import write_library
from benchmarks.measure import Timing, heading, markdown_table, timed

ROUNDS = 7
"""Times that each process is run."""

COLD = 3.0
"""Seconds that lint of the library may take when nothing is remembered."""

WARM = 0.3
"""Seconds that lint of the unchanged library may take over ``--version``."""

EDITOR = 0.05
"""Seconds that lint of a file of 20 nodes may take once the process has started."""

_SECONDS = (1.0, "s")


@dataclass(frozen=True)
class Target:
    """A bound on a measured time, in seconds."""

    what: str
    seconds: float
    bound: float

    @property
    def met(self) -> bool:
        """Whether the time is within the bound."""
        return self.seconds <= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """As a row of a table."""
        return self.what, f"{self.seconds:.3f} s", f"≤ {self.bound:g} s", "yes" if self.met else "**no**"


@dataclass(frozen=True)
class Cost:
    """Repeated runs of one process: how long they took, and how long the processor worked for them.

    Where other programs run beside, the first grows and the second hardly does.
    """

    wall: Timing
    cpu: Timing


@dataclass(frozen=True)
class Commands:
    """The command lines, in a folder with a cache of its own.

    Attributes:
        folder: holds ``library/``, ``small.md`` and ``cache/``.
    """

    folder: Path

    def seconds(self, *arguments: str) -> tuple[float, float]:
        """How long one run takes, and how long the processor works for it.

        Raises:
            RuntimeError: it fails, or finds something in the library.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_DSL_")}
        environment["AGENTIC_DSL_CACHE_DIR"] = str(self.folder / "cache")
        worked, start = _processor_seconds(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "agentic_dsl.cli", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        taken = time.perf_counter() - start, _processor_seconds() - worked
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} gave {done.returncode}: {(done.stdout + done.stderr)[:500]}")
        return taken

    def forget(self) -> None:
        """Removes everything that lint remembers."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(commands: Commands, rounds: int) -> dict[str, Cost]:
    """Every process, ``rounds`` times in turns, after one round that warms up the files and Python's own caches."""
    times: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds + 1):
        times.setdefault("agentic-dsl --version", []).append(commands.seconds("--version"))
        commands.forget()
        times.setdefault("lint, 20 nodes, cold", []).append(commands.seconds("lint", "--exit-zero", "small.md"))
        times.setdefault("lint, library, cold", []).append(commands.seconds("lint", "library"))
        times.setdefault("lint, library, unchanged", []).append(commands.seconds("lint", "library"))
    return {
        what: Cost(*(Timing(tuple(column)) for column in zip(*seconds[1:], strict=True)))
        for what, seconds in times.items()
    }


def in_an_editor(rounds: int) -> Timing:
    """A file of 20 nodes after each keystroke, in a process that has started; the texts differ."""
    texts = [block("/main/plan", 20, salt=number) for number in range(rounds + 1)]
    _lint(texts[0])
    return timed(_lint, texts[1:])


def _lint(text: str) -> None:
    for linted in Project({"small.md": text.encode()}).lint().values():
        judged(linted)


def targets(times: dict[str, Cost], editor: Timing) -> Iterator[Target]:
    """What the times are held to."""
    version = times["agentic-dsl --version"].wall.median
    yield Target("the library, cold", times["lint, library, cold"].wall.median, COLD)
    yield Target(
        "the unchanged library, over `--version`", times["lint, library, unchanged"].wall.median - version, WARM
    )
    yield Target("20 nodes in an editor", editor.median, EDITOR)


def cfn_template(resources: int) -> str:
    """A template of that many resources; they refer to each other in chains of ten, as the nodes of a file do."""
    found: dict[str, object] = {}
    for number in range(resources):
        tags = [{"Key": "step", "Value": {"Ref": f"Topic{number - 1}"} if number % 10 else "first"}]
        found[f"Topic{number}"] = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"t{number}", "Tags": tags}}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": found})


def cfn_seconds(command: str, folder: Path, resources: int) -> float:
    """How long cfn-lint takes for a template of that many resources; the rule on their number is left out."""
    template = folder / "template.json"
    template.write_text(cfn_template(resources), encoding="utf-8")
    start = time.perf_counter()
    subprocess.run(
        [command, "--ignore-checks", "E3010", "I3010", "--", str(template)], capture_output=True, check=False
    )
    return time.perf_counter() - start


def main(arguments: list[str]) -> int:
    """Prints the tables; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_lint")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--cfn-lint", metavar="COMMAND", help="cfn-lint, which is run once beside")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        try:
            files, nodes = write_library(folder / "library")
        except FileNotFoundError as exc:
            print(exc, file=sys.stderr)
            return 2
        (folder / "small.md").write_text(block("/main/plan", 20), encoding="utf-8")
        print(heading("Lint", "lark", "pyyaml"), end="\n\n")
        print(f"The library: {files:,} files, {nodes:,} nodes, without findings.\n")
        times, editor = measured(Commands(folder), options.rounds), in_an_editor(30)
        rows = [(what, cost.wall.text(*_SECONDS), cost.cpu.text(*_SECONDS)) for what, cost in times.items()]
        rows.append(("lint, 20 nodes, in an editor", editor.text(), ""))
        print(markdown_table(("what", "median (range)", "of the processor"), rows))
        if options.cfn_lint:
            print(f"\ncfn-lint, {nodes:,} resources, once: {cfn_seconds(options.cfn_lint, folder, nodes):.1f} s")
        held = list(targets(times, editor))
        print("\n" + markdown_table(("target", "median", "bound", "met"), [target.row() for target in held]))
    return int(not all(target.met for target in held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
