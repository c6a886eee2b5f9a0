"""What the scripts that write pages share: pages that are written, or found out of date, and cells of their tables."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path


def write_or_check(doc: str | None, pages: Mapping[Path, str]) -> int:
    """Writes pages with ``--write``, else says which are out of date; the exit code.

    Args:
        doc: what the script says of itself.
        pages: what each file should hold.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--write", action="store_true", help="write what is out of date instead of saying so")
    arguments = parser.parse_args()
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    for page in stale:
        if not arguments.write:
            print(f"{page} is out of date: run `make docs`")
            continue
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(pages[page], encoding="utf-8")
        print(f"wrote {page}")
    return int(bool(stale) and not arguments.write)


def cell(text: str) -> str:
    """Text as a cell of a Markdown table holds it."""
    return text.replace("|", "\\|").replace("<", "&lt;")
