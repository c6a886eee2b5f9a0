"""The tables of the operations page are what the code says, and leave nothing out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from agentic_dsl.runtime.engines.serving_hints import HINTS, LAYERS
from agentic_dsl.runtime.observation.metrics import METRICS
from agentic_dsl.runtime.observation.spans import ATTRIBUTES
from agentic_dsl.runtime.observation.trace import RequestTrace

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_tables_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "operations.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_names_every_field_metric_attribute_and_hint() -> None:
    named = [
        *(field.name for field in fields(RequestTrace)),
        *(metric.exposed for metric in METRICS),
        *(name for name, _ in ATTRIBUTES),
        *(hint.name for hint in HINTS),
    ]
    assert [name for name in named if f"`{name}`" not in PAGE] == []
    assert [layer for layer in LAYERS if layer != "none" and f"`{layer}`" not in PAGE] == []
