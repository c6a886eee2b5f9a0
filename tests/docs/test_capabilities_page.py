"""The capability table is what the reports say, and names every engine that there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agentic_dsl.compiler.pipeline import DIALECTS
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.registry import ENGINES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")


def test_the_table_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "capabilities.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_a_column_for_each_engine_and_dialect_and_a_row_for_each_constraint() -> None:
    header = next(line for line in PAGE.splitlines() if line.startswith("| what |"))
    assert all(name in header for name in ENGINES)
    # Two bars more than the two first cells and the dialects: engines in this process, and those with our plug-in.
    assert header.count("|") == 3 + len(DIALECTS) + 2
    assert all(f"| `{name}` |" in PAGE for name in Constraints.model_fields)


def test_only_engines_with_our_matcher_claim_what_it_does() -> None:
    for line in PAGE.splitlines():
        if line.startswith("| `") and line.count("|") > 5:
            _, name, _, here, plugged, *others, _ = line.split("|")
            assert not any(cell.strip() == "overlay" for cell in others), name
            assert here.strip() in ("grammar", "overlay", "checked", "–"), name
            assert plugged == here, name
