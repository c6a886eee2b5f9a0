"""What went wrong with the file of the subgraph cache, in words, with what to do about it."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from agentic_dsl.errors import CacheError

_BUSY = ("another process is writing to it", "try again when that process is done")
_FULL = ("its disk is full", "make room on the disk, or set AGENTIC_DSL_CACHE_DIR to a folder on another one")
_UNREACHABLE = (
    "its disk takes or gives no data",
    "make room on the disk, raise the limit of file sizes, or set AGENTIC_DSL_CACHE_DIR to a folder on another one",
)
_READ_ONLY = (
    "it can only be read",
    "make the file and its folder writable, or set AGENTIC_DSL_CACHE_DIR to a folder that is",
)
_OTHER_HELP = "name a folder that can be written, or set AGENTIC_DSL_CACHE_DIR to one"

_OF_SQLITE = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
}
_OF_SYSTEM = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EFBIG: _FULL, errno.EROFS: _READ_ONLY}


def result_code(error: BaseException | None) -> int | None:
    """The primary result code of SQLite; None where the error has none, as those of the module itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_busy(error: BaseException | None) -> bool:
    """Whether a lock did not come in time."""
    return result_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def unusable(path: Path, error: OSError | sqlite3.Error) -> CacheError:
    """The error of a file that could not be opened or changed."""
    if isinstance(error, OSError):
        known, words = _OF_SYSTEM.get(error.errno or 0), error.strerror
    else:
        known, words = _OF_SQLITE.get(result_code(error) or 0), None
    reason, help_ = known or (words or str(error), _OTHER_HELP)
    return CacheError(f'the subgraph cache "{path}" cannot be used: {reason}', help=help_)


def read_only(path: Path) -> CacheError:
    """The error of a change to a file that was opened for reading alone."""
    return CacheError(f'the subgraph cache "{path}" cannot be changed: {_READ_ONLY[0]}', help=_READ_ONLY[1])


def closed(path: Path) -> CacheError:
    """The error of a change to a cache that was closed."""
    return CacheError(f'the subgraph cache "{path}" cannot be changed: it is closed', help="open it again")
