"""Runs uv with pip's own settings: ``python scripts/uv.py pip install …``.

uv reads nothing of pip's configuration; whoever has set up mirrors, local folders or certificates for pip means them
for uv too. Nothing of it is written down anywhere.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

NAMES = {
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
"""pip's setting → uv's variable, and what separates several values there."""

BEST_MATCH = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
"""pip takes the best version of all indexes; uv would stop at the first index that has the package."""


def environment(listing: str) -> dict[str, str]:
    """The variables for what ``pip config list`` printed."""
    found: dict[str, str] = {}
    # The environment comes first in the list, and wins.
    for line in reversed(listing.splitlines()):
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in NAMES:
            variable, separator = NAMES[name]
            found[variable] = separator.join(str(ast.literal_eval(value)).split())
    return found | BEST_MATCH


def main() -> None:
    """Becomes uv, which must be installed beside this Python."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    uv = Path(sys.executable).with_name("uv")
    # What is set for uv itself wins; but it must not look for an environment: it would take the folder's `.venv`.
    variables = environment(listed.stdout) | os.environ | {"VIRTUAL_ENV": sys.prefix}
    os.execve(uv, [str(uv), *sys.argv[1:]], variables)


if __name__ == "__main__":
    main()
