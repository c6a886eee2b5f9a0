"""The library documents of a workspace: found once, read again when they change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from stat import S_ISREG

from agentic_dsl.ast import Document
from agentic_dsl.cli.inputs import SUFFIX
from agentic_dsl.compiler.library import Library, entries_of
from agentic_dsl.compiler.sources import document_of
from agentic_dsl.span import MAX_BYTES

MAX_FILES = 20_000
"""Documents of a workspace that are looked at."""

MAX_FOLDERS = 50_000
"""Folders in which documents are looked for: somebody may open a whole disk."""

_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})
"""Folders that hold other people's files; so do those whose names begin with a dot."""


class LibraryFiles:
    """The documents with entries under ``/lib``, by file name. What an editor has open goes before what is on disk."""

    def __init__(self) -> None:
        self._on_disk: dict[str, Document] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._open: dict[str, Document] = {}
        self._edits = 0
        self._edits_of: dict[str, int] = {}
        self._others: dict[str, tuple[int, Library]] = {}

    def read(self, name: str) -> bool:
        """Reads a file, or forgets it where it is gone; returns whether entries of the library may have changed."""
        stamp = _stamp(name)
        if stamp is not None and stamp == self._stamps.get(name):
            return False
        before, after = self._on_disk.get(name), self._load(name, stamp)
        return name not in self._open and self._changed(name, before, after)

    def _load(self, name: str, stamp: _Stamp | None) -> Document | None:
        """Takes what the disk holds."""
        document = None if stamp is None else _library_document(Path(name), stamp)
        self._on_disk.pop(name, None)
        self._stamps.pop(name, None)
        if stamp is not None:
            self._stamps[name] = stamp
        if document is not None:
            self._on_disk[name] = document
        return document

    @property
    def names(self) -> tuple[str, ...]:
        """The files that have been read, library documents or not."""
        return tuple(self._stamps)

    def open(self, name: str, document: Document) -> bool:
        """Takes what an editor holds; returns whether entries of the library may have changed."""
        before = self._open.pop(name, None) or self._on_disk.get(name)
        after = document if entries_of(document) else None
        if after is not None or name in self._on_disk:
            self._open[name] = document  # without entries it hides those on disk
        if before is not None and not entries_of(before):
            before = None
        return self._changed(name, before, after)

    def close(self, name: str) -> bool:
        """Goes back to what is on disk; returns whether entries of the library may have changed."""
        before = self._open.pop(name, None)
        self._others.pop(name, None)
        after = self._load(name, _stamp(name))
        return self._changed(name, before if before is not None and entries_of(before) else None, after)

    def beside(self, name: str) -> Library:
        """The library of every document but one. It is built again only when another document has changed."""
        stamp = self._edits - self._edits_of.get(name, 0)
        known = self._others.get(name)
        if known is None or known[0] != stamp:
            documents = {**self._on_disk, **self._open}
            documents.pop(name, None)
            known = self._others[name] = (stamp, Library.of(documents[file] for file in sorted(documents)))
        return known[1]

    def documents(self) -> Iterator[Document]:
        """Every library document."""
        yield from {**self._on_disk, **self._open}.values()

    def _changed(self, name: str, before: Document | None, after: Document | None) -> bool:
        if before is after:
            return False
        if before is not None and after is not None and before.source.text == after.source.text:
            return False
        self._edits += 1
        self._edits_of[name] = self._edits_of.get(name, 0) + 1
        return True


_Stamp = tuple[int, int]
"""When a file was changed, in nanoseconds, and its size."""


def _stamp(name: str) -> _Stamp | None:
    try:
        status = os.stat(name)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if S_ISREG(status.st_mode) else None


def _library_document(file: Path, stamp: _Stamp) -> Document | None:
    """The document in a file; None where it holds no library entry, or cannot be read."""
    if stamp[1] > MAX_BYTES:
        return None
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    if b"AgenticDSL" not in raw or b"/lib/" not in raw:
        return None  # most files of most folders
    document = document_of(raw, str(file))
    return document if entries_of(document) else None


def files_of(paths: Iterable[Path]) -> Iterator[str]:
    """The documents in files and folders, links not followed, up to a limit for all together."""
    return islice((name for path in paths for name in ([str(path)] if path.is_file() else _below(path))), MAX_FILES)


def _below(folder: Path) -> Iterator[str]:
    for parent, folders, files in islice(os.walk(folder), MAX_FOLDERS):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(files):
            if name.endswith(SUFFIX):
                yield os.path.join(parent, name)
