"""Leases: one process generates a subgraph, the others that want the same wait for it.

A row names the owner and when its lease ends. A lease also ends with the process that took it, as far as its number
says: where processes of several machines or containers share a file, two may generate the same, which costs time only.
"""

from __future__ import annotations

import os
import sqlite3
import uuid

LEASE_SECONDS = 120.0
"""How long others wait for one generation."""


class Leases:
    """The leases of one open cache; every method works on a connection that the caller has locked."""

    def __init__(self, seconds: float = LEASE_SECONDS) -> None:
        self._seconds = seconds
        self._name = uuid.uuid4().hex

    @property
    def _owner(self) -> str:
        return f"{os.getpid()}:{self._name}"

    def take(self, connection: sqlite3.Connection, digest: str, now: float, oldest: float) -> bool:
        """Takes the lease; False where another owner has it, or where an entry younger than ``oldest`` is there."""
        if connection.execute("SELECT 1 FROM entries WHERE digest = ? AND created > ?", (digest, oldest)).fetchone():
            return False
        if self.is_held_by_others(connection, digest, now):
            return False
        # What was left by processes that ended is forgotten on the way.
        connection.execute("DELETE FROM leases WHERE digest = ? OR NOT ends > ?", (digest, now))
        connection.execute("INSERT INTO leases VALUES (?, ?, ?)", (digest, self._owner, now + self._seconds))
        return True

    def is_held_by_others(self, connection: sqlite3.Connection, digest: str, now: float) -> bool:
        """Whether a process that still runs, not this one, has a lease that has not ended."""
        row = connection.execute("SELECT owner, ends FROM leases WHERE digest = ?", (digest,)).fetchone()
        if row is None or row[0] == self._owner or not isinstance(row[1], float):
            return False
        # A lease that ends later than any could was not written by us.
        return now < row[1] <= now + self._seconds and _runs(str(row[0]).partition(":")[0])

    def end(self, connection: sqlite3.Connection, digest: str) -> None:
        """Ends the lease of this process."""
        connection.execute("DELETE FROM leases WHERE digest = ? AND owner = ?", (digest, self._owner))


def _runs(number: str) -> bool:
    """Whether a process of this number runs, as far as can be known."""
    if os.name != "posix":
        return True  # elsewhere asking would end the process
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 10 and int(number) > 0):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it runs, and is somebody else's
    return True
