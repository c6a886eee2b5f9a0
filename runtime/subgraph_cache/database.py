"""`SharedDatabase`: work on the SQLite file of the subgraph cache, by any thread, process or forked child.

Work never raises because of the file: it gives what the caller names instead, and a damaged file is made anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.subgraph_cache.schema import OpenFile, is_damage, open_file, remove_file

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SharedDatabase:
    """One connection, which one thread at a time works on.

    Attributes:
        path: the file.
        damaged: how often the file was made anew.
    """

    def __init__(self, path: Path, *, busy_seconds: float) -> None:
        """Opens the file, made where there is none.

        Args:
            path: the file.
            busy_seconds: how long to wait for a writer in another process.

        Raises:
            CacheError: it can neither be written nor read.
        """
        self.path = path
        self.damaged = 0
        self._busy_seconds = busy_seconds
        self._closed = False
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._inherited: list[OpenFile] = []
        self._file: OpenFile | None = open_file(path, busy_seconds=busy_seconds)

    @property
    def writable(self) -> bool:
        """Whether anything can be stored, as far as is known."""
        return self._file is None or self._file.writable

    def run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """The result of some work; ``otherwise`` where the file is closed, damaged, locked or full."""
        self._notice_fork()
        with self._lock:
            if self._closed:
                return otherwise
            file = self._file
            try:
                if file is None:
                    file = self._file = open_file(self.path, busy_seconds=self._busy_seconds)
                return work(file.connection)
            except (sqlite3.Error, CacheError) as exc:
                _log.warning("subgraph cache: %s: %s; going on without", self.path, exc)
                if file is not None and isinstance(exc, sqlite3.Error) and is_damage(exc):
                    self._make_anew(file)
                return otherwise

    def change(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """`run` for work that writes: all of it is done, or nothing."""

        def whole(connection: sqlite3.Connection) -> T:
            if not self.writable:
                return otherwise
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
                return result
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # what went wrong first is what counts
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise

        return self.run(whole, otherwise)

    def write_unless_busy(self, connection: sqlite3.Connection, statement: str, *values: object) -> None:
        """A write within `run` that nobody waits for: given up where another process is writing."""
        if not self.writable:
            return
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute(statement, values)
        except sqlite3.OperationalError as exc:
            if is_damage(exc):
                raise
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_seconds * 1000)}")

    def close(self) -> None:
        """Closes the file; later work gives what is named instead."""
        self._notice_fork()
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.connection.close()
                self._file = None

    def _make_anew(self, file: OpenFile) -> None:
        """Removes a damaged file; the next work makes it again."""
        self.damaged += 1
        file.connection.close()
        self._file = None
        if file.writable:
            remove_file(self.path, file.inode)

    def _notice_fork(self) -> None:
        """A connection does not survive a fork, nor may the child close it: it would end its parent's locks."""
        if self._process == os.getpid():
            return
        if self._file is not None:
            self._inherited.append(self._file)
        self._file = None
        self._lock = threading.RLock()  # another thread of the parent may have held the old one
        self._process = os.getpid()
