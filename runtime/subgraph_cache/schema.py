"""The SQLite file of the subgraph cache: how it is opened, what it must look like, and when it is made anew."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agentic_dsl.runtime.subgraph_cache.failures import result_code, unusable

FILE = "subgraphs-v1.sqlite3"
"""Versions of the layout have files of their own, so that two releases of the toolkit share a folder."""

_APPLICATION = 0x41444C43
_VERSION = 1

_TABLES = (
    "CREATE TABLE entries (digest TEXT PRIMARY KEY, path TEXT, engine TEXT, libraries TEXT, created REAL, used REAL,"
    " checksum BLOB, payload BLOB)",
    "CREATE INDEX entries_used ON entries (used)",
    "CREATE INDEX entries_created ON entries (created)",
    "CREATE TABLE leases (digest TEXT PRIMARY KEY, owner TEXT, ends REAL)",
)
_EXPECTED = frozenset(_TABLES)

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
"""Result codes of a file that is not ours or not whole; a statement that names a missing table ends in ``ERROR``."""


class OtherLayoutError(sqlite3.DatabaseError):
    """The file is a database, and not one of this cache."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that was opened: the connection, which file it was, and whether it can be written."""

    connection: sqlite3.Connection
    inode: int
    writable: bool


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, rather than busy, full or forbidden."""
    if isinstance(error, OtherLayoutError):
        return True
    return isinstance(error, sqlite3.DatabaseError) and result_code(error) in _CORRUPT


def open_file(path: Path, *, busy_seconds: float) -> OpenFile:
    """Opens the file, made anew where it is damaged; for reading alone where it cannot be written.

    Raises:
        CacheError: it can neither be made nor read.
    """
    try:
        return _open_to_write(path, busy_seconds)
    except (OSError, sqlite3.Error) as exc:
        reason = exc
    # Files of a WAL database on a medium that cannot be written are read as if nobody ever wrote them.
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        with contextlib.suppress(OSError, sqlite3.Error):
            connection = _connect(path, mode, busy_seconds)
            try:
                _distrust(connection)
                _require_layout(connection)
                return OpenFile(connection, path.stat().st_ino, writable=False)
            except (OSError, sqlite3.Error):
                connection.close()
                raise
    raise unusable(path, reason) from reason


def remove_file(path: Path, inode: int | None = None) -> None:
    """Removes the file and what SQLite keeps beside it, unless another process has made it anew meanwhile."""
    with contextlib.suppress(OSError):
        if inode is None or path.stat().st_ino == inode:
            for suffix in ("", "-wal", "-shm", "-journal"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)


def _open_to_write(path: Path, busy_seconds: float) -> OpenFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in (1, 2):
        # The mode of a file that is made here; what SQLite makes beside it takes the same.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
        status = path.stat()
        if status.st_mode & 0o077:
            with contextlib.suppress(OSError):
                path.chmod(0o600)
        connection = _connect(path, "mode=rw", busy_seconds)
        try:
            _distrust(connection)
            _set_up(connection)
            return OpenFile(connection, status.st_ino, writable=True)
        except sqlite3.Error as exc:
            connection.close()
            if attempt == 2 or not is_damage(exc):
                raise
            remove_file(path, status.st_ino)
    raise AssertionError("the loop returns or raises")


def _connect(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,  # transactions begin where they are written
        check_same_thread=False,  # the cache lets one thread in at a time
    )
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _distrust(connection: sqlite3.Connection) -> None:
    """Nothing that a tampered file defines may run, and its pages are looked at before they are used."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def _set_up(connection: sqlite3.Connection) -> None:
    """Makes the tables in an empty file; looks at them in another one."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been faster.
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    # A power failure may lose the last entries; it cannot damage the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {4 << 20}")
    _require_layout(connection)


def _require_layout(connection: sqlite3.Connection) -> None:
    """Raises where the file holds other tables, or triggers and views, or says that it is of another version."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL LIMIT 100").fetchall()
    marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if {row[0] for row in rows} != _EXPECTED or len(rows) != len(_TABLES) or marks != (_APPLICATION, _VERSION):
        raise OtherLayoutError("the file is not of this cache")
