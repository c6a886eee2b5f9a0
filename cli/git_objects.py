"""Files of a git revision, read through the ``git`` program: arguments as lists, bounded in time and size."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentic_dsl.errors import UsageError
from agentic_dsl.span import MAX_BYTES

TIMEOUT = 60.0
"""Seconds that one call of git may take."""

MAX_LISTING = 32 << 20
"""Bytes of the list of a tree: some hundred thousand files."""

MAX_TOTAL = 256 << 20
"""Bytes of all documents of a revision."""

_FILES = frozenset({b"100644", b"100755", b"100664"})
"""Modes of files; links and submodules are not followed."""

_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
"""Nothing is written or asked, a path is no pattern, and messages are those that we know."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a revision.

    Attributes:
        name: below the path that was asked for; empty where that is a file itself.
    """

    name: str
    oid: str
    size: int


def read_revision(revision: str, path: str, suffix: str) -> dict[str, bytes]:
    """The documents of a revision: a file, or every file below a folder whose name ends with ``suffix``.

    A file that is larger than a document may be is cut off there, which whoever reads it will notice.

    Args:
        revision: a branch, tag, commit or anything else that git takes for one.
        path: as after the colon of ``git show``: from the top of the repository, or ``./…`` from the working folder.
        suffix: of the files of a folder.

    Raises:
        UsageError: there is no git, no repository, no such revision or path, or too much of it.
    """
    if not revision or revision.startswith("-"):
        raise UsageError(f'"{revision}" is no revision', help="name a branch, tag or commit before the colon")
    if "\0" in revision + path or "\n" in revision + path:
        raise UsageError("a revision or path holds a line end", help="name a file or folder without one")
    commit = _resolve(f"{revision}^{{tree}}")
    if commit is None:
        raise UsageError(f'git knows no revision "{revision}"', help="fetch it, or check its name with git log")
    tree = commit if not path else _resolve(f"{revision}:{path}")
    if tree is None:
        raise UsageError(f'"{path}" does not exist in revision "{revision}"', help="check the path with git ls-tree")
    if _run(("cat-file", "-t", tree), limit=64).strip() == b"blob":
        blobs = [Blob("", tree, _size(tree))]
    else:
        blobs = [blob for blob in _listed(tree) if blob.name.endswith(suffix)]
    if sum(blob.size for blob in blobs) > MAX_TOTAL:
        raise UsageError(f'revision "{revision}" holds more than {MAX_TOTAL >> 20} MiB of documents there')
    return _contents(blobs)


def _resolve(name: str) -> str | None:
    """The id of an object, None where git knows none."""
    status, found, complaint = _call(("rev-parse", "--verify", "--quiet", "--end-of-options", name), b"", 4096)
    if status and complaint:
        raise UsageError(f"git cannot be asked: {complaint}", help="run in a git repository that you may read")
    oid = found.decode("ascii", "replace").strip()
    return oid if status == 0 and oid.isalnum() else None


def _size(oid: str) -> int:
    return int(_run(("cat-file", "-s", oid), limit=64))


def _listed(tree: str) -> Iterator[Blob]:
    """Every file of a tree, at any depth."""
    for row in _run(("ls-tree", "-r", "-l", "-z", "--full-tree", tree, "--"), limit=MAX_LISTING).split(b"\0"):
        facts, _, name = row.partition(b"\t")
        words = facts.split()
        if len(words) == 4 and words[0] in _FILES and words[3].isdigit():
            yield Blob(os.fsdecode(name), words[2].decode("ascii"), int(words[3]))


def _contents(blobs: Sequence[Blob]) -> dict[str, bytes]:
    """What the files hold, by name, in order."""
    asked = "".join(f"{blob.oid}\n" for blob in blobs).encode()
    # Before each object stands a line with its id, type and size, and behind it a line end.
    room = sum(blob.size + 200 for blob in blobs)
    answer = _run(("cat-file", "--batch"), asked, limit=room) if blobs else b""
    found: dict[str, bytes] = {}
    at = 0
    for blob in blobs:
        head_end = answer.find(b"\n", at)
        words = answer[at:head_end].split()
        if head_end < 0 or len(words) != 3 or not words[2].isdigit():
            raise UsageError(f'git cannot read "{blob.name or blob.oid}"', help="check the repository with git fsck")
        size = int(words[2])
        found[blob.name] = answer[head_end + 1 : head_end + 1 + min(size, MAX_BYTES + 1)]
        at = head_end + 1 + size + 1
    return dict(sorted(found.items()))


def _run(arguments: Sequence[str], given: bytes = b"", *, limit: int) -> bytes:
    """What git answers; a call that fails is an error."""
    status, answer, complaint = _call(arguments, given, limit)
    if status:
        raise UsageError(f"git {arguments[0]} failed: {complaint or status}", help="check the repository with git fsck")
    return answer


def _call(arguments: Sequence[str], given: bytes, limit: int) -> tuple[int, bytes, str]:
    """Calls git; gives its exit code, at most ``limit`` bytes of its answer, and the first line of what it complains.

    Input and complaints go through files, so that neither side ever waits for the other.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | _ENVIRONMENT,
            )
        except OSError as exc:
            raise UsageError("git cannot be started", help="install git, or name files and folders") from exc
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        try:
            with process:
                answer = b"" if process.stdout is None else process.stdout.read(limit + 1)
                if len(answer) > limit:
                    process.kill()
        finally:
            late = not timer.is_alive()
            timer.cancel()
        if late:
            raise UsageError(f"git {arguments[0]} took longer than {TIMEOUT:g} seconds", help="name a smaller folder")
        if len(answer) > limit:
            raise UsageError(f"git {arguments[0]} answers with too much", help="name a smaller folder")
        stderr.seek(0)
        lines = stderr.read(2000).decode("utf-8", "replace").strip().splitlines()
        return process.returncode, answer, lines[0] if lines else ""
