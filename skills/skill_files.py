"""The files of a skill's folder: which there are, in which state, and how one is read within its bounds.

Nothing outside of the folder is ever read: a link is followed only where it ends inside.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agentic_dsl import codes
from agentic_dsl.diagnostics import Code, Severity

MANIFEST = "SKILL.md"
RESOURCE_FOLDERS = ("scripts", "references", "assets")
"""The folders of resources; a resource stands directly in one of them."""

MAX_MANIFEST = 1 << 20
MAX_RESOURCE = 8 << 20
MAX_RESOURCES = 500
MAX_RESOURCE_BYTES = 64 << 20
"""All resources of a skill together."""

_CHUNK = 1 << 20
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe that was put in the place of a file must not make us wait, nor a link lead elsewhere."""

_IGNORED = {"__pycache__"}


class SkillFileError(Exception):
    """A file cannot be read; whoever knows the manifest makes a finding of it."""

    def __init__(self, kind: Code, message: str, help: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.help = help


class Stamp(NamedTuple):
    """What shows that a file was changed, without reading it."""

    path: str
    device: int
    inode: int
    size: int
    modified: int
    changed: int


class FileProblem(NamedTuple):
    """Something in the folder that is no resource, and should not be there."""

    kind: Code
    path: str
    message: str
    help: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a skill's folder holds at one moment.

    Attributes:
        manifest: the state of its ``SKILL.md``, None where there is none.
        resources: the states of its resources, by path.
        problems: what else stands in the folders of resources.
    """

    manifest: Stamp | None
    resources: tuple[Stamp, ...]
    problems: tuple[FileProblem, ...]

    @property
    def is_usable(self) -> bool:
        """Whether the resources may be read."""
        return not any(problem.kind.severity is Severity.ERROR for problem in self.problems)

    @property
    def paths(self) -> frozenset[str]:
        """Everything that stands there, usable or not."""
        return frozenset(stamp.path for stamp in self.resources) | {problem.path for problem in self.problems}


def list_files(folder: Path) -> Listing:
    """The files of a folder.

    Raises:
        SkillFileError: the system refuses to say.
    """
    resources: list[Stamp] = []
    problems: list[FileProblem] = []
    try:
        home = os.path.realpath(folder)
        manifest = _manifest(folder, home)
        for name in RESOURCE_FOLDERS:
            for found in _entries(folder, home, name):
                if isinstance(found, Stamp):
                    resources.append(found)
                else:
                    problems.append(found)
    except (OSError, ValueError) as exc:  # ValueError: a null character in the path
        raise _unreadable(folder.name, exc) from exc
    if (excess := _excess(resources)) is not None:
        problems.append(excess)
    return Listing(manifest, tuple(resources), tuple(problems))


def read_file(folder: Path, path: str, limit: int) -> bytes:
    """The bytes of one file below a folder.

    Args:
        folder: the skill's folder.
        path: relative to it.
        limit: the most bytes that are read.

    Raises:
        SkillFileError: it is no file, leads out of the folder, is larger than the limit or cannot be read.
    """
    try:
        real = os.path.realpath(folder / path)
        if not _is_below(real, os.path.realpath(folder)):
            raise _escape(path)
        handle = os.open(real, _OPEN)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SkillFileError(codes.NOT_A_FILE, f'"{path}" is no file', "remove it")
            return _read(handle, path, limit)
        finally:
            os.close(handle)
    except (OSError, ValueError) as exc:
        raise _unreadable(path, exc) from exc


def _read(handle: int, path: str, limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit + 1
    while left > 0 and (chunk := os.read(handle, min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    if left == 0:
        kind = codes.MANIFEST_TOO_LARGE if path == MANIFEST else codes.RESOURCE_TOO_LARGE
        raise SkillFileError(kind, f'"{path}" is larger than {limit:,} bytes', "shorten it, or split it")
    return b"".join(chunks)


def _manifest(folder: Path, home: str) -> Stamp | None:
    # Some file systems find "skill.md" too; the name is part of the rules, so the folder is asked for its names.
    with os.scandir(folder) as entries:
        entry = next((entry for entry in entries if entry.name == MANIFEST), None)
    if entry is None:
        return None
    if entry.is_symlink() and not _is_below(os.path.realpath(entry.path), home):
        raise _escape(MANIFEST)
    status = entry.stat()
    if not stat.S_ISREG(status.st_mode):
        raise SkillFileError(codes.SKILL_UNREADABLE, f"{MANIFEST} is no file", f"put a file called {MANIFEST} there")
    return _stamp(MANIFEST, status)


def _entries(folder: Path, home: str, name: str) -> Iterator[Stamp | FileProblem]:
    """What stands in one folder of resources, by name."""
    place = folder / name
    if place.is_symlink() and not _is_below(os.path.realpath(place), home):
        yield _outside(name)
        return
    if not place.is_dir():
        return
    with os.scandir(place) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _IGNORED:
            continue
        yield _entry(entry, f"{name}/{entry.name}", home)


def _entry(entry: os.DirEntry[str], path: str, home: str) -> Stamp | FileProblem:
    if entry.is_symlink() and not _is_below(os.path.realpath(entry.path), home):
        return _outside(path)
    if entry.is_dir():
        help = "move its files one level up"
        return FileProblem(codes.NESTED_RESOURCE, path, f'"{path}" is a folder; its files are no resources', help)
    if not entry.is_file():
        return FileProblem(codes.NOT_A_FILE, path, f'"{path}" is neither a file nor a link to one', "remove it")
    status = entry.stat()
    if status.st_size > MAX_RESOURCE:
        message = f'"{path}" has {status.st_size:,} bytes, more than {MAX_RESOURCE:,}'
        return FileProblem(codes.RESOURCE_TOO_LARGE, path, message, "shorten it, or split it")
    return _stamp(path, status)


def _excess(resources: list[Stamp]) -> FileProblem | None:
    if len(resources) > MAX_RESOURCES:
        message = f"the skill has {len(resources):,} resources, more than {MAX_RESOURCES}"
        return FileProblem(codes.RESOURCE_TOO_LARGE, "", message, "split the skill")
    if (total := sum(stamp.size for stamp in resources)) > MAX_RESOURCE_BYTES:
        message = f"the resources have {total:,} bytes together, more than {MAX_RESOURCE_BYTES:,}"
        return FileProblem(codes.RESOURCE_TOO_LARGE, "", message, "split the skill")
    return None


def _stamp(path: str, status: os.stat_result) -> Stamp:
    return Stamp(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _is_below(path: str, home: str) -> bool:
    return os.path.commonpath((path, home)) == home


def _outside(path: str) -> FileProblem:
    problem = _escape(path)
    return FileProblem(problem.kind, path, problem.message, problem.help)


def _escape(path: str) -> SkillFileError:
    message = f'"{path}" is a link that leads out of the skill\'s folder'
    return SkillFileError(codes.RESOURCE_ESCAPE, message, "put a copy in its place")


def _unreadable(path: str, error: OSError | ValueError) -> SkillFileError:
    reason = getattr(error, "strerror", None) or str(error)
    return SkillFileError(codes.SKILL_UNREADABLE, f'"{path}" cannot be read: {reason}', "check that it can be read")
