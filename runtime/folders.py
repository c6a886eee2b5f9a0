"""Where the toolkit keeps files of its own: caches, which can be rebuilt, and models, which cost a download.

Each folder has an environment variable that overrides it, so that tests, containers and shared machines can
put it elsewhere. Nothing is created here.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APPLICATION = "agentic-dsl"


def cache_folder() -> Path:
    """The folder of the caches: ``AGENTIC_DSL_CACHE_DIR``, else the user's cache folder."""
    return _folder("AGENTIC_DSL_CACHE_DIR") or platformdirs.user_cache_path(_APPLICATION, appauthor=False)


def models_folder() -> Path:
    """The folder of the embedded models: ``AGENTIC_DSL_MODELS_DIR``, else one in the user's data folder."""
    default = platformdirs.user_data_path(_APPLICATION, appauthor=False) / "models"
    return _folder("AGENTIC_DSL_MODELS_DIR") or default


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser() if value else None
