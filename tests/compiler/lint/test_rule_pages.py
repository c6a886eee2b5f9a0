"""The pages about rules are what the rules say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agentic_dsl.compiler.lint.registry import RULES

ROOT = Path(__file__).resolve().parents[3]


def test_the_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "rules.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_section_and_a_line_in_the_index() -> None:
    pages = ROOT / "docs" / "rules"
    index = (pages / "README.md").read_text(encoding="utf-8")
    for rule in RULES:
        page = (pages / f"{rule.group.value}.md").read_text(encoding="utf-8")
        assert f"\n## {rule.code} {rule.name}\n" in page
        assert f"[`{rule.code}`]({rule.group.value}.md#{rule.code.lower()}-{rule.name})" in index
