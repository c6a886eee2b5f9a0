"""`SharedDatabase`: work on the SQLite file of the subgraph cache, by any thread, process or forked child.

Work never raises because of the file, where nobody demands that it is done: it gives what the caller names instead.
A damaged file is made anew.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.forks import renewed_in_forks
from agentic_dsl.runtime.subgraph_cache.failures import closed, is_busy, read_only, unusable
from agentic_dsl.runtime.subgraph_cache.patience import Patience
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
        self._patience = Patience(busy_seconds)
        self._closed = False
        self._lock = threading.RLock()
        self._inherited: list[OpenFile] = []
        self._file: OpenFile | None = open_file(path, busy_seconds=busy_seconds)
        renewed_in_forks(self)

    @property
    def writable(self) -> bool:
        """Whether anything can be stored, as far as is known."""
        return self._file is None or self._file.writable

    def run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """The result of some work; ``otherwise`` where the file is closed, damaged, locked or full."""
        with self._lock:
            if self._closed:
                return otherwise
            try:
                return self._attempt(work, self._patience.seconds)
            except (sqlite3.Error, CacheError) as exc:
                _log.warning("subgraph cache: %s: %s; going on without", self.path, exc)
                return otherwise

    def change(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """`run` for work that writes: all of it is done, or nothing."""

        def whole(connection: sqlite3.Connection) -> T:
            return self._transaction(connection, work) if self.writable else otherwise

        return self.run(whole, otherwise)

    def must_change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`change` for work that somebody relies on; of a damaged file, which is made anew, nothing is left.

        Raises:
            CacheError: the file is closed, locked, full, or can only be read. Nothing was changed.
        """

        def whole(connection: sqlite3.Connection) -> T:
            if not self.writable:
                raise read_only(self.path)
            return self._transaction(connection, work)

        with self._lock:
            if self._closed:
                raise closed(self.path)
            try:
                try:
                    return self._attempt(whole, self._busy_seconds)
                except sqlite3.Error as exc:
                    if not is_damage(exc):
                        raise
                return self._attempt(whole, self._busy_seconds)
            except sqlite3.Error as exc:
                raise unusable(self.path, exc) from exc

    def write_unless_busy(self, connection: sqlite3.Connection, statement: str, *values: object) -> None:
        """A write within `run` that nobody waits for: given up where another process is writing."""
        if not self.writable:
            return
        _wait_at_most(connection, 0.0)
        try:
            connection.execute(statement, values)
        except sqlite3.OperationalError as exc:
            if is_damage(exc):
                raise
        finally:
            _wait_at_most(connection, self._patience.seconds)

    def close(self) -> None:
        """Closes the file; later work gives what is named instead."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.connection.close()
                self._file = None

    def start_anew(self) -> None:
        """A connection does not survive a fork, nor may the child close it: it would end its parent's locks."""
        self._lock = threading.RLock()
        if self._file is not None:
            self._inherited.append(self._file)
        self._file = None

    def _attempt(self, work: Callable[[sqlite3.Connection], T], busy_seconds: float) -> T:
        """The result of some work on the file, opened where it is not; a damaged one is closed and removed."""
        try:
            if self._file is None:
                self._file = open_file(self.path, busy_seconds=busy_seconds)
            _wait_at_most(self._file.connection, busy_seconds)
            return work(self._file.connection)
        except (sqlite3.Error, CacheError) as exc:
            if is_busy(exc.__cause__ if isinstance(exc, CacheError) else exc):
                self._patience.waited_in_vain()
            if self._file is not None and isinstance(exc, sqlite3.Error) and is_damage(exc):
                self._make_anew(self._file)
            raise

    def _transaction(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # what went wrong first is what counts
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise
        self._patience.wrote()
        return result

    def _make_anew(self, file: OpenFile) -> None:
        """Removes a damaged file; the next work makes it again."""
        self.damaged += 1
        file.connection.close()
        self._file = None
        if file.writable:
            remove_file(self.path, file.inode)


def _wait_at_most(connection: sqlite3.Connection, seconds: float) -> None:
    """How long statements wait for a lock from now on."""
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
