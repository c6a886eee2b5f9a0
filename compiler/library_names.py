"""What libraries are called: the name of the one that is shipped, and the folder that any name means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import agentic_dsl

BUILTIN = "builtin"
"""Names the core standard library wherever a folder of library documents can be named.

A folder that is really called so is named by its absolute path.
"""

BUILTIN_FOLDER = Path(agentic_dsl.__file__).parent / "lib"
"""The core standard library: one file a contract, whose path below it is that of its block below ``/lib``."""


def library_folders(names: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    """The files and folders that some names mean."""
    listed = (names,) if isinstance(names, str | Path) else names
    return tuple(BUILTIN_FOLDER if str(name) == BUILTIN else Path(name) for name in listed)
