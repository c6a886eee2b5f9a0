"""The page about skills lists the keys that there are."""

from __future__ import annotations

import re
from pathlib import Path

from agentic_dsl.skills.front_matter import FRONT_FIELDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "skills.md"


def test_the_page_lists_every_key_of_front_matter_as_the_table_has_it() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [(field.key, field.doc) for field in FRONT_FIELDS]
