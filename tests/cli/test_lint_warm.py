"""An unchanged library costs no more than reading it: neither parser nor rules nor node types are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys, json
from agentic_dsl.cli.app import run
code = run(["lint", "x.md"])
print(json.dumps([code, sorted(sys.modules)]))
"""

HEAVY = {"agentic_dsl.ast", "agentic_dsl.node_table", "agentic_dsl.compiler.lint.registry", "lark", "yaml", "networkx"}


def _lint(folder: Path) -> tuple[int, set[str]]:
    environment = os.environ | {"AGENTIC_DSL_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


def test_an_unchanged_file_loads_nothing_that_reads_documents(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("### AgenticDSL `/main/p`\n```yaml\ntype: start\nnext: [nowhere]\n```\n")
    cold, loaded = _lint(tmp_path)
    assert loaded >= HEAVY - {"networkx"}
    warm, few = _lint(tmp_path)
    assert cold == warm == 1
    assert not few & HEAVY
