"""Documents that the command line names: files, folders and standard input."""

from __future__ import annotations

import json
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
        UsageError: a name does not exist, or a folder holds no document.
    """
    files: dict[str, None] = {}
    for name in names:
        path = Path(name)
        if name == STDIN or path.is_file():
            files[name] = None
        elif path.is_dir():
            found = sorted(str(p) for p in path.rglob("*") if p.suffix == SUFFIX and p.is_file())
            if not found:
                raise UsageError(
                    f"the folder {name} holds no {SUFFIX} file", help="name a folder or file with documents"
                )
            files.update(dict.fromkeys(found))
        elif path.exists():
            files[name] = None  # a pipe, such as a shell's <(…)
        else:
            raise UsageError(f"{name} does not exist", help="check the path")
    return list(files)


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
    paths = list(folders)
    if not paths:
        return None
    for path in paths:
        if not path.exists():
            raise UsageError(f"the library {path} does not exist", help="check the path given with --lib")
    from agentic_dsl.compiler.library import Library

    return Library.load(paths)
