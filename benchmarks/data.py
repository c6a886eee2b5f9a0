"""Where the task data lies: ``AGENTIC_DSL_DATA``, else ``shared/data`` beside the checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def data_folder(name: str) -> Path | None:
    """The folder of one data set, None where it is absent."""
    root = os.environ.get("AGENTIC_DSL_DATA")
    base = Path(root) if root else Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = base / name
    return folder if folder.is_dir() else None


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
