"""docs/diff.md lists the kinds of change that there are."""

from __future__ import annotations

import re
from pathlib import Path

from agentic_dsl.compiler.compatibility.kinds import ALL_KINDS, UNDECLARED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "diff.md"


def test_the_table_lists_every_kind_of_change() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| (ADC\d+) \| ([a-z-]+) \| (\w*) ?\| (.*) \|$", text, re.MULTILINE)
    expected = [(kind.code.code, kind.code.name, kind.level.value, kind.code.summary) for kind in ALL_KINDS]
    assert listed == [*expected, (UNDECLARED.code, UNDECLARED.name, "", UNDECLARED.summary)]
