"""`SkillUsage`: how often each skill was used, and what its reuse saved, in one SQLite file.

Counting never stands in the way of an answer: where the file is locked, full or forbidden, a use is not counted, and
the log says so. Each call opens the file anew, so threads, processes and forked children need no care.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from agentic_dsl.errors import CacheError, UsageError

T = TypeVar("T")

FILE = "skill-usage-v1.sqlite3"
"""Versions of the layout have files of their own, so that two releases of the toolkit share a folder."""

_APPLICATION = 0x41444C55
_TABLE = (
    "CREATE TABLE uses (skill TEXT PRIMARY KEY, uses INTEGER NOT NULL, hits INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    " saved INTEGER NOT NULL, last REAL NOT NULL) WITHOUT ROWID"
)
_ADD = (
    "INSERT INTO uses VALUES (:skill, 1, :hit, :tokens, :saved, :last) ON CONFLICT (skill) DO UPDATE SET"
    " uses = uses + 1, hits = hits + excluded.hits, tokens = tokens + excluded.tokens, saved = saved + excluded.saved,"
    " last = max(last, excluded.last)"
)
_READ = "SELECT skill, uses, hits, tokens, saved, last FROM uses ORDER BY saved DESC, tokens DESC, skill LIMIT 10000"
_BUSY_SECONDS = 2.0
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SkillUse:
    """One skill in one request.

    Attributes:
        skill: its name.
        tokens: how many tokens of the prompt were its.
        tokens_saved: how many of these were not computed again.
    """

    skill: str
    tokens: int
    tokens_saved: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.tokens_saved <= self.tokens:
            raise UsageError(
                f'{self.tokens_saved:,} of {self.tokens:,} tokens of the skill "{self.skill}" cannot be saved',
                help="count as saved what is among its tokens",
            )


@dataclass(frozen=True, slots=True)
class SkillTotal:
    """All uses of one skill.

    Attributes:
        skill: its name.
        uses: requests that had it.
        hits: those of them in which some of its tokens were not computed again.
        tokens: of prompts that were its, over all uses.
        tokens_saved: how many of these were not computed again.
        last_used: when, in seconds since 1970.
    """

    skill: str
    uses: int
    hits: int
    tokens: int
    tokens_saved: int
    last_used: float

    @property
    def hit_rate(self) -> float:
        """The share of the uses that were hits."""
        return self.hits / self.uses if self.uses else 0.0

    @property
    def saved_share(self) -> float:
        """The share of the tokens that were not computed again."""
        return self.tokens_saved / self.tokens if self.tokens else 0.0


class SkillUsage:
    """The counts in one file.

    Attributes:
        path: the file; `FILE` in the cache folder is where the toolkit's own commands look.
    """

    def __init__(self, path: Path) -> None:
        """Opens nothing yet; the file is made by the first `record`."""
        self.path = path

    def record(self, uses: Iterable[SkillUse], *, at: float | None = None) -> bool:
        """Counts the skills of one request.

        Args:
            uses: the skills that it had.
            at: when it was, in seconds since 1970; now by default.

        Returns:
            Whether they were counted.
        """
        last = time.time() if at is None else at
        rows = [
            {
                "skill": u.skill,
                "hit": int(u.tokens_saved > 0),
                "tokens": u.tokens,
                "saved": u.tokens_saved,
                "last": last,
            }
            for u in uses
        ]

        def add(connection: sqlite3.Connection) -> bool:
            connection.executemany(_ADD, rows)
            return True

        return self._work(add, otherwise=False)

    def totals(self) -> tuple[SkillTotal, ...]:
        """Every skill that was ever used, the one that saved most first; none where there is no file."""
        if not self.path.is_file():
            return ()

        def read(connection: sqlite3.Connection) -> tuple[SkillTotal, ...]:
            return tuple(_total(row) for row in connection.execute(_READ))

        return self._work(read, otherwise=(), write=False)

    def clear(self) -> bool:
        """Forgets all uses; whether that could be done."""
        if not self.path.is_file():
            return True

        def remove(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM uses")
            return True

        return self._work(remove, otherwise=False)

    def _work(self, work: Callable[[sqlite3.Connection], T], *, otherwise: T, write: bool = True) -> T:
        """The result of some work as one transaction; ``otherwise`` where it cannot be done.

        Whoever writes makes a damaged file anew; whoever reads leaves it as it is.
        """
        for attempt in (1, 2):
            try:
                with _opened(self.path, write=write) as connection:
                    return work(connection)
            except (sqlite3.Error, OSError, CacheError, OverflowError) as exc:
                _log.warning("skill usage: %s: %s; going on without", self.path, exc)
                if attempt == 2 or not write or not _is_damage(exc):
                    return otherwise
                _remove(self.path)
        return otherwise


def _total(row: tuple[object, ...]) -> SkillTotal:
    """A row of the file. SQLite keeps any type in any column, so a row of another one is damage."""
    skill, uses, hits, tokens, saved, last = row
    if not isinstance(skill, str) or not isinstance(last, float | int):
        raise CacheError("a row is not of this file")
    if not (isinstance(uses, int) and isinstance(hits, int) and isinstance(tokens, int) and isinstance(saved, int)):
        raise CacheError("a row is not of this file")
    return SkillTotal(skill, uses, hits, tokens, saved, float(last))


@contextlib.contextmanager
def _opened(path: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """A connection within a transaction; a file that is made here is readable by its owner alone."""
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))
    mode = "rw" if write else "ro"
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        _require_layout(connection, write=write)
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()  # which takes back what was not committed


def _require_layout(connection: sqlite3.Connection, *, write: bool) -> None:
    """Makes the table in an empty file; refuses a file with other things in it."""
    found = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master LIMIT 10")]
    if not found and write:
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        return
    if found != [_TABLE] or connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise CacheError("the file is not one of skill usage")


def _is_damage(error: Exception) -> bool:
    """Whether the file is not ours or not whole, rather than busy, full or forbidden."""
    if isinstance(error, CacheError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
