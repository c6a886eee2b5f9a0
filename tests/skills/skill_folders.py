"""Writes folders of skills for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentic_dsl.skills.manifest import SkillReading

NAME = "summarise-text"
BODY = "# Summaries\n\nWrite three sentences at most.\n"


def manifest(name: str = NAME, front: str = "", body: str = BODY) -> str:
    """A manifest with more lines of front matter."""
    return f"---\nname: {name}\ndescription: Shortens texts. Use it for summaries.\n{front}---\n{body}"


def write_skill(
    root: Path,
    name: str = NAME,
    front: str = "",
    body: str = BODY,
    files: Mapping[str, str | bytes] | None = None,
) -> Path:
    """Writes a skill and gives its folder."""
    return write_files(root / name, {"SKILL.md": manifest(name, front, body), **(files or {})})


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Writes files below a folder and gives the folder."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def found(reading: SkillReading) -> list[tuple[str, int, int]]:
    """Code, line and column of each finding."""
    return [(diagnostic.code, *reading.source.position(diagnostic.span.start)) for diagnostic in reading.diagnostics]
