"""Paths of files as services join them with the root of a repository."""

from __future__ import annotations

import os
from urllib.parse import quote


def report_path(path: str) -> str:
    """A path relative to the working folder where it is below it, with slashes; else as it was named."""
    if os.path.isabs(path):
        below = os.path.join(os.getcwd(), "")
        path = path.removeprefix(below)
    return path.replace(os.sep, "/").removeprefix("./")


def report_uri(path: str) -> str:
    """The same as a URI: a relative reference, or one with its scheme where the file is elsewhere.

    Bytes of a name that are no UTF-8 are kept.
    """
    shown = report_path(path)
    quoted = quote(shown, errors="surrogateescape")
    return f"file:///{quoted.lstrip('/')}" if os.path.isabs(shown) else quoted
