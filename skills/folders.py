"""Where skills are looked for when nobody names a folder: the project's, the user's, the package's own."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from agentic_dsl.skills.skill_files import MANIFEST

PROJECT_FOLDER = "skills"
"""The folder of a project's skills, below the working folder."""


def library_folder() -> Path:
    """The skills that the package brings."""
    return Path(__file__).resolve().parent / "library"


def user_folder() -> Path:
    """The skills of this user, in all projects."""
    return platformdirs.user_data_path("agentic-dsl", appauthor=False) / "skills"


def default_roots(working_folder: Path | None = None) -> tuple[Path, ...]:
    """The folders of these that are there; the project's skills come before the user's, the package's last.

    Args:
        working_folder: where the project's folder ``skills`` stands; the current one by default. It counts only if
            it holds a skill, because a folder of that name may hold anything.
    """
    project = (working_folder or Path.cwd()) / PROJECT_FOLDER
    found = (project,) if any(project.glob(f"*/{MANIFEST}")) else ()
    return found + tuple(folder for folder in (user_folder(), library_folder()) if folder.is_dir())
