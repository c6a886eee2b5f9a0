"""The subgraph cache in one SQLite file, shared by threads and processes.

Write-ahead logging lets readers and one writer work at once. Whatever is wrong with the file is a miss: an entry that
is not what was stored is removed, a file that is no database of ours is made anew, a lock that does not come in time
or a full disk leaves the cache as it is. The file is its owner's alone (mode 0600), and nothing in it is unpickled.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentic_dsl.runtime.folders import cache_folder
from agentic_dsl.runtime.forks import renewed_in_forks
from agentic_dsl.runtime.subgraph_cache.codec import (
    MAX_BYTES,
    DamagedError,
    checksum,
    decode,
    encode,
    libraries_of,
)
from agentic_dsl.runtime.subgraph_cache.database import SharedDatabase
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, LibraryUse
from agentic_dsl.runtime.subgraph_cache.leases import LEASE_SECONDS, Leases
from agentic_dsl.runtime.subgraph_cache.port import (
    DEFAULT_TTL,
    SKEW_SECONDS,
    CachedEntry,
    CachedSubgraph,
    CacheStats,
    Selection,
    is_below_any,
    is_fresh,
)
from agentic_dsl.runtime.subgraph_cache.schema import FILE

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES = 256 << 20

_BUSY_SECONDS = 1.0
_TOUCH_SECONDS = 1.0
_PAGE_BYTES = 4096
_FRESH = " WHERE created > ? AND created <= ?"


class SqliteSubgraphCache:
    """See `SubgraphCache`."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_entries: int | None = None,
        ttl: float = DEFAULT_TTL,
        clock: Callable[[], float] = time.time,
        busy_seconds: float = _BUSY_SECONDS,
        touch_seconds: float = _TOUCH_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Opens the file, made where there is none.

        Args:
            path: the file; None is one in the cache folder. It belongs to the cache, which may replace it.
            max_bytes: what the used pages of the file may take; the least recently used entries go first.
            max_entries: the most entries; None counts bytes alone.
            ttl: seconds until an entry is forgotten.
            clock: seconds since the epoch.
            busy_seconds: how long to wait for a writer in another process.
            touch_seconds: how exact the order of use is. A hit writes at most once in this time.
            lease_seconds: how long other processes wait for one that generates.

        Raises:
            CacheError: the file can neither be written nor read.
        """
        self.path = path if path is not None else cache_folder() / FILE
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._ttl = ttl
        self._clock = clock
        self._touch_seconds = touch_seconds
        self._leases = Leases(lease_seconds)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._database = SharedDatabase(self.path, busy_seconds=busy_seconds)
        renewed_in_forks(self)

    def start_anew(self) -> None:
        """The counts go on in a forked child, whoever in its parent was counting."""
        self._counting = threading.Lock()

    def get(self, key: CacheKey) -> CachedSubgraph | None:
        """See `SubgraphCache.get`."""
        value = self._database.run(lambda connection: self._get(connection, key.digest), None)
        self._count(**{"misses" if value is None else "hits": 1})
        return value

    def _get(self, connection: sqlite3.Connection, digest: str) -> CachedSubgraph | None:
        row = connection.execute(
            "SELECT checksum, payload, used FROM entries WHERE digest = ? AND length(payload) <= ?", (digest, MAX_BYTES)
        ).fetchone()
        if row is None:
            return None
        try:
            value = decode(digest, row[1], row[0])
        except DamagedError as exc:
            self._count(damaged=1)
            _log.warning("subgraph cache: an entry of %s is damaged (%s); removed", self.path, exc)
            self._database.write_unless_busy(connection, "DELETE FROM entries WHERE digest = ?", digest)
            return None
        now = self._clock()
        if not is_fresh(value.created, now, self._ttl):
            self._count(expired=1)
            self._database.write_unless_busy(connection, "DELETE FROM entries WHERE digest = ?", digest)
            return None
        if not (isinstance(row[2], float) and abs(now - row[2]) < self._touch_seconds):
            self._database.write_unless_busy(connection, "UPDATE entries SET used = ? WHERE digest = ?", now, digest)
        return value

    def put(self, key: CacheKey, value: CachedSubgraph) -> bool:
        """See `SubgraphCache.put`."""
        now = self._clock()
        try:
            payload = encode(replace(value, created=now))
        except (struct.error, ValueError, TypeError) as exc:
            _log.warning("subgraph cache: an answer for %s cannot be written: %s", key.path, exc)
            return False
        libraries = json.dumps([[use.path, use.version] for use in value.libraries])
        row = (key.digest, key.path, value.engine, libraries, now, now, checksum(key.digest, payload), payload)
        fits = len(payload) <= min(MAX_BYTES, self._max_bytes)

        def store(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM entries WHERE digest = ?", (key.digest,))
            self._leases.end(connection, key.digest)
            if not fits:
                return False
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            return self._shrink(connection, now, key.digest)

        stored = self._database.change(store, False)
        self._count(stores=int(stored))
        return stored

    def _shrink(self, connection: sqlite3.Connection, now: float, newest: str) -> bool:
        """Removes what is too old, then what was unused for longest, until the rest fits; False where nothing does."""
        old = "DELETE FROM entries WHERE created <= ? OR created > ?"
        self._count(expired=connection.execute(old, (now - self._ttl, now + SKEW_SECONDS)).rowcount)
        removed = 1
        while (surplus := self._surplus(connection)) and removed:
            removed = connection.execute(
                "DELETE FROM entries WHERE rowid IN"
                " (SELECT rowid FROM entries WHERE digest != ? ORDER BY used, rowid LIMIT ?)",
                (newest, surplus),
            ).rowcount
            self._count(evictions=removed)
        if surplus:
            connection.execute("DELETE FROM entries WHERE digest = ?", (newest,))
        return not surplus

    def _surplus(self, connection: sqlite3.Connection) -> int:
        """How many entries to remove next: those above the count, or a few of those that take too many pages."""
        if self._max_entries is not None:
            entries: int = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
            if entries > self._max_entries:
                return entries - self._max_entries
        # An entry takes a page or several: a sixteenth of the surplus never removes too much at once.
        surplus = -((self._max_bytes - _used_bytes(connection)) // _PAGE_BYTES)
        return max(1, surplus // 16) if surplus > 0 else 0

    def discard(self, key: CacheKey) -> None:
        """See `SubgraphCache.discard`."""
        self._count(hits=-1, misses=1, damaged=1)
        self._database.change(lambda c: c.execute("DELETE FROM entries WHERE digest = ?", (key.digest,)).rowcount, 0)

    def invalidate(
        self, path_prefix: str | None = None, *, library: str | None = None, version: str | None = None
    ) -> int:
        """See `SubgraphCache.invalidate`."""
        selection = Selection(path_prefix, library, version)

        def remove(connection: sqlite3.Connection) -> int:
            # By row: a digest that cannot be read names none.
            rows = connection.execute(f"SELECT rowid, path, libraries FROM entries{_FRESH}", self._fresh_now())
            meant = [(row,) for row, path, libraries in rows if selection.holds(str(path), _libraries(libraries))]
            connection.executemany("DELETE FROM entries WHERE rowid = ?", meant)
            return len(meant)

        return self._database.must_change(remove)

    def warm_up(self, paths: Sequence[str]) -> int:
        """See `SubgraphCache.warm_up`."""
        meant = [entry for entry in reversed(self.ls()) if is_below_any(paths, entry.path, entry.libraries)]
        return sum(self._database.run(partial(self._get, digest=entry.digest), None) is not None for entry in meant)

    def clear(self) -> int:
        """See `SubgraphCache.clear`. Gives the disk its space back."""

        def empty(connection: sqlite3.Connection) -> int:
            entries = self._entries_now(connection)
            connection.execute("DELETE FROM entries")
            connection.execute("DELETE FROM leases")
            return entries

        removed = self._database.must_change(empty)
        for statement in ("PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(TRUNCATE)"):
            if self._database.writable:
                self._database.run(partial(_finish, statement), None)
        return removed

    def ls(self) -> list[CachedEntry]:
        """See `SubgraphCache.ls`."""
        return self._database.run(self._entries, [])

    def _entries(self, connection: sqlite3.Connection) -> list[CachedEntry]:
        rows = connection.execute(
            "SELECT digest, path, engine, libraries, created, used, length(payload) FROM entries"
            f"{_FRESH} ORDER BY used DESC, rowid DESC",
            self._fresh_now(),
        )
        return [
            CachedEntry(str(digest), str(path), str(engine), _libraries(libraries), created, _number(used), size or 0)
            for digest, path, engine, libraries, created, used, size in rows
        ]

    def stats(self) -> CacheStats:
        """See `SubgraphCache.stats`; the bytes are those of the used pages of the file."""
        nbytes, entries = self._database.run(lambda c: (_used_bytes(c), self._entries_now(c)), (0, 0))
        with self._counting:
            counts = self._counts + Counter(damaged=self._database.damaged)
        return CacheStats(**counts, bytes=nbytes, entries=entries)

    def lease(self, key: CacheKey) -> bool:
        """See `SubgraphCache.lease`. Where leases cannot be written, everybody has every one."""
        return self._database.change(
            lambda c: self._leases.take(c, key.digest, self._clock(), self._clock() - self._ttl), True
        )

    def leased(self, key: CacheKey) -> bool:
        """See `SubgraphCache.leased`."""
        return self._database.run(lambda c: self._leases.is_held_by_others(c, key.digest, self._clock()), False)

    def release(self, key: CacheKey) -> None:
        """See `SubgraphCache.release`."""
        self._database.change(lambda c: self._leases.end(c, key.digest), None)

    def close(self) -> None:
        """See `SubgraphCache.close`."""
        self._database.close()

    def _entries_now(self, connection: sqlite3.Connection) -> int:
        found: int = connection.execute(f"SELECT count(*) FROM entries{_FRESH}", self._fresh_now()).fetchone()[0]
        return found

    def _fresh_now(self) -> tuple[float, float]:
        """The bounds of `_FRESH`, which says what `is_fresh` says."""
        now = self._clock()
        return now - self._ttl, now + SKEW_SECONDS

    def _count(self, **changes: int) -> None:
        with self._counting:
            self._counts.update(changes)


def _finish(statement: str, connection: sqlite3.Connection) -> None:
    """Runs a statement whose work is done row by row."""
    connection.execute(statement).fetchall()


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _libraries(text: object) -> tuple[LibraryUse, ...] | None:
    """The library entries of a row; None where they cannot be read."""
    try:
        return libraries_of(json.loads(str(text)))
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
