"""The two versions that ``agentic-dsl diff`` compares: files, folders, or git revisions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.git_objects import read_revision
from agentic_dsl.cli.inputs import SUFFIX, document_files, read_bytes
from agentic_dsl.errors import UsageError
from agentic_dsl.span import MAX_BYTES

if TYPE_CHECKING:
    from agentic_dsl.ast import Document
    from agentic_dsl.compiler.library import Library


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a comparison.

    Attributes:
        library: its documents.
        files: what people know a document by → the file's own name, without a revision.
    """

    library: Library
    files: Mapping[str, str]


def read_version(name: str) -> Version:
    """Reads a file, a folder or ``REVISION:PATH``; what exists as a path is one.

    Raises:
        UsageError: there is nothing of that name, or it cannot be read.
    """
    if os.path.lexists(name):
        named = {file: (file, read_bytes(file, MAX_BYTES + 1)) for file in document_files([name])}
    else:
        named = _from_git(name)
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.compiler.parse.collector import collector_paused
    from agentic_dsl.compiler.sources import document_of

    with collector_paused(sum(len(raw) for _, raw in named.values())):
        documents = [document_of(raw, shown) for shown, (_, raw) in named.items()]
    return Version(Library.of(documents), {shown: file for shown, (file, _) in named.items()})


def _from_git(name: str) -> dict[str, tuple[str, bytes]]:
    """The documents of a revision: shown name → file name and content."""
    revision, colon, path = name.partition(":")
    if not colon:
        raise UsageError(f"{name} does not exist", help="name a file, a folder, or a git revision as REVISION:PATH")
    path = path.rstrip("/")
    base = path.removeprefix(".").removeprefix("/") if path == "." or path.startswith("./") else path
    found = read_revision(revision, "./" if path == "." else path, SUFFIX)
    if not found:
        raise UsageError(f"{name} holds no {SUFFIX} file", help="name a folder or file with documents")
    files = {below: "/".join(part for part in (base, below) if part) for below in found}
    return {f"{revision}:{files[below]}": (files[below], raw) for below, raw in found.items()}


def refuse_unreadable(version: Version, name: str) -> None:
    """Checks that every document can be read, for a block that cannot be read would count as gone.

    Raises:
        UsageError: one cannot.
    """
    broken = first_error(version.library)
    if broken is not None:
        raise UsageError(
            f"{name} cannot be compared: {broken}", help="mend it; `agentic-dsl validate` shows all findings"
        )


def first_error(library: Library) -> str | None:
    """The first error of a document that could not be read completely, with its place."""
    return next((said for document in library.documents if (said := _said(document)) is not None), None)


def _said(document: Document) -> str | None:
    for diagnostic in document.diagnostics:
        if diagnostic.is_error:
            line = document.source.position(diagnostic.span.start).line
            where = printable(Path(document.source.path or "").as_posix())
            return f"{where}:{line}: {diagnostic.code} {printable(diagnostic.message)}"
    return None
