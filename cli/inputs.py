"""Documents that the command line names: files, folders and standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import UsageError
from agentic_dsl.span import MAX_BYTES

if TYPE_CHECKING:
    from agentic_dsl.ast import Document
    from agentic_dsl.compiler.library import Library

STDIN = "-"

SUFFIX = ".md"
"""What a document of a folder is called, as in libraries; a file that is named itself may be called anything."""


def document_files(names: Iterable[str]) -> list[str]:
    """The files that are meant: a folder stands for its documents, at any depth.

    Raises:
        UsageError: a name does not exist or cannot be looked at, or a folder holds no document.
    """
    files: dict[str, None] = {}
    for name in names:
        try:
            files.update(dict.fromkeys(_meant(name)))
        except OSError as exc:  # a name that is too long, a folder that must not be entered
            where = name if exc.filename is None else exc.filename
            raise UsageError(f"{where} cannot be read: {exc.strerror}", help="name what can be read") from exc
    return list(files)


def _meant(name: str) -> list[str]:
    path = Path(name)
    if not name:
        raise UsageError("the name of a file is empty", help=f"name a file or folder; {os.curdir} is this folder")
    if name == STDIN or path.is_file():
        return [name]
    if path.is_dir():
        if found := _documents_below(path):
            return found
        raise UsageError(f"the folder {name} holds no {SUFFIX} file", help="name a folder or file with documents")
    if path.exists():
        return [name]  # a pipe, such as a shell's <(…)
    if path.is_symlink():
        raise UsageError(f"{name} is a link that leads nowhere", help="correct the link, or name the file itself")
    raise UsageError(f"{name} does not exist", help="check the path")


def _documents_below(folder: Path) -> list[str]:
    """The documents of a folder, in order of name; links to folders are not followed.

    Raises:
        OSError: a folder cannot be listed, so that nobody knows what is in it.
    """
    found = []
    for where, _, names in os.walk(folder, onerror=_refuse):
        shown = "" if where == os.curdir else where.removeprefix(f".{os.sep}")
        found += [os.path.join(shown, n) for n in names if len(n) > len(SUFFIX) and n.endswith(SUFFIX)]
    return sorted(name for name in found if os.path.isfile(name))


def _refuse(error: OSError) -> None:
    raise error


def read_bytes(name: str, limit: int = -1) -> bytes:
    """What a file or standard input holds, at most ``limit`` bytes of it.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(limit)
        with open(name, "rb") as stream:
            return stream.read(limit)
    except OSError as exc:
        raise UsageError(f"{name} cannot be read: {exc.strerror}", help="name a file that can be read") from exc


def read_document(name: str) -> Document:
    """Parses a file or standard input. A file that is no UTF-8 text is a document with that finding.

    Raises:
        UsageError: the file cannot be read.
    """
    from agentic_dsl.compiler.sources import document_of

    return document_of(read_bytes(name, MAX_BYTES + 1), name)


def read_text(name: str, what: str) -> str:
    """The text of a file or standard input, without a byte order mark.

    Args:
        name: the file, or ``-``.
        what: what the file is, for the message.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(f"{what} {name} is not UTF-8", help="save it as UTF-8") from exc


def read_json(name: str, what: str) -> Any:
    """The JSON value of a file or standard input.

    Args:
        name: the file, or ``-``.
        what: what the file is, for the message.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(name, what))
    except json.JSONDecodeError as exc:
        raise UsageError(
            f"{what} {name} is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}", help="correct the file"
        ) from exc
    except RecursionError as exc:
        raise UsageError(f"{what} {name} is nested too deeply", help="flatten the file") from exc


def read_library(folders: Iterable[Path]) -> Library | None:
    """The library of the named folders and files; None where none is named.

    Raises:
        UsageError: a folder does not exist.
    """
    from agentic_dsl.compiler.library_names import library_folders

    paths = library_folders(folders)
    if not paths:
        return None
    for path in paths:
        if not path.exists():
            raise UsageError(f"the library {path} does not exist", help="check the path given with --lib")
    from agentic_dsl.compiler.library import Library

    return Library.load(paths)
