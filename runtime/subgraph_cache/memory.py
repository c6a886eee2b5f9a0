"""The subgraph cache in the memory of one process: `cachetools` keeps order and age."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

from cachetools import TLRUCache

from agentic_dsl.runtime.forks import renewed_in_forks
from agentic_dsl.runtime.subgraph_cache.key import CacheKey
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

DEFAULT_MAX_ENTRIES = 1_000
DEFAULT_MAX_BYTES = 256 << 20

TREE_FACTOR = 24
"""Bytes of a parsed document for each character of its text; measured: 20 to 23 for 5 to 100 nodes."""

_TOKEN_BYTES = 36
"""A number in a tuple."""

_ENTRY_BYTES = 2_000
"""Key, statistics and the objects around them."""


@dataclass(slots=True)
class _Kept:
    key: CacheKey
    value: CachedSubgraph
    used: float
    turn: int
    nbytes: int


class MemorySubgraphCache:
    """See `SubgraphCache`. Keeps the checked generations themselves, so a hit parses nothing."""

    def __init__(
        self,
        *,
        max_entries: int = DEFAULT_MAX_ENTRIES,
        max_bytes: int = DEFAULT_MAX_BYTES,
        ttl: float = DEFAULT_TTL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """An empty cache.

        Args:
            max_entries: the most entries.
            max_bytes: what the entries may take, by an estimate; the least recently used go first.
            ttl: seconds until an entry is forgotten.
            clock: seconds since the epoch.
        """
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._ttl = ttl
        self._counts: Counter[str] = Counter()
        self._turns = count()
        self._make_empty()
        renewed_in_forks(self)

    def _make_empty(self) -> None:
        self._lock = threading.RLock()
        # Each entry with an end of its own: where the clock was set back, an entry ends before those stored earlier.
        self._kept: TLRUCache[str, _Kept] = TLRUCache(
            self._max_bytes,
            lambda _, __, now: now + self._ttl,
            timer=self._clock,
            getsizeof=lambda kept: kept.nbytes,
        )
        self._newest = -math.inf
        """When the last of the entries was stored, by the clock of then."""

    def start_anew(self) -> None:
        """A forked child has the entries too, unless another thread of its parent was changing them just then."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._make_empty()

    def get(self, key: CacheKey) -> CachedSubgraph | None:
        """See `SubgraphCache.get`."""
        with self._at_one_time() as now:
            kept = self._kept.get(key.digest)
            self._counts["misses" if kept is None else "hits"] += 1
            if kept is None:
                return None
            kept.used, kept.turn = now, next(self._turns)
            return kept.value

    def put(self, key: CacheKey, value: CachedSubgraph) -> bool:
        """See `SubgraphCache.put`."""
        nbytes = size_of(value)
        with self._at_one_time() as now:
            self._kept.pop(key.digest, None)
            if nbytes > self._max_bytes or self._max_entries < 1:
                return False
            while len(self._kept) >= self._max_entries or self._kept.currsize + nbytes > self._max_bytes:
                self._kept.popitem()
                self._counts["evictions"] += 1
            self._kept[key.digest] = _Kept(key, replace(value, created=now), now, next(self._turns), nbytes)
            self._newest = max(self._newest, now)
            self._counts["stores"] += 1
        return True

    def discard(self, key: CacheKey) -> None:
        """See `SubgraphCache.discard`."""
        with self._at_one_time():
            self._counts.update(hits=-1, misses=1, damaged=int(self._kept.pop(key.digest, None) is not None))

    def invalidate(
        self, path_prefix: str | None = None, *, library: str | None = None, version: str | None = None
    ) -> int:
        """See `SubgraphCache.invalidate`."""
        selection = Selection(path_prefix, library, version)
        with self._at_one_time():
            meant = [kept for kept in self._all() if selection.holds(kept.key.path, kept.value.libraries)]
            for kept in meant:
                del self._kept[kept.key.digest]
            return len(meant)

    def warm_up(self, paths: Sequence[str]) -> int:
        """See `SubgraphCache.warm_up`."""
        with self._at_one_time() as now:
            meant = [kept for kept in self._all() if is_below_any(paths, kept.key.path, kept.value.libraries)]
            for kept in meant:
                kept.used, kept.turn = now, next(self._turns)
                self._kept[kept.key.digest]  # reading it makes it the last to go
            return len(meant)

    def clear(self) -> int:
        """See `SubgraphCache.clear`."""
        with self._at_one_time():
            entries = len(self._kept)
            self._kept.clear()
            return entries

    def ls(self) -> list[CachedEntry]:
        """See `SubgraphCache.ls`."""
        with self._at_one_time():
            return [
                CachedEntry(
                    digest=kept.key.digest,
                    path=kept.key.path,
                    engine=kept.value.engine,
                    libraries=kept.value.libraries,
                    created=kept.value.created,
                    used=kept.used,
                    nbytes=kept.nbytes,
                )
                for kept in reversed(self._all())
            ]

    def stats(self) -> CacheStats:
        """See `SubgraphCache.stats`."""
        with self._at_one_time():
            return CacheStats(**self._counts, bytes=int(self._kept.currsize), entries=len(self._kept))

    def lease(self, key: CacheKey) -> bool:  # noqa: ARG002  # the port's argument
        """See `SubgraphCache.lease`; no other process sees this cache."""
        return True

    def leased(self, key: CacheKey) -> bool:  # noqa: ARG002  # the port's argument
        """See `SubgraphCache.leased`."""
        return False

    def release(self, key: CacheKey) -> None:
        """See `SubgraphCache.release`; nothing is held."""

    def close(self) -> None:
        """See `SubgraphCache.close`."""
        self.clear()

    def _all(self) -> list[_Kept]:
        """What is kept, the least recently used first."""
        kept = sorted(self._kept.values(), key=lambda kept: kept.turn)
        for each in kept:  # reading changed the order of use; reading again in that order restores it
            self._kept[each.key.digest]
        return kept

    @contextmanager
    def _at_one_time(self) -> Iterator[float]:
        """One thread at a time, and nothing grows old meanwhile; what is too old already goes."""
        with self._lock, self._kept.timer as now:
            expired = len(list(self._kept.expire()))
            self._counts["expired"] += expired + self._forget_the_future(now)
            yield now

    def _forget_the_future(self, now: float) -> int:
        """Removes what was stored later than now by more than clocks differ; says how many."""
        if now >= self._newest - SKEW_SECONDS:
            return 0
        created = {each.key.digest: each.value.created for each in self._all()}
        unborn = [digest for digest, since in created.items() if not is_fresh(since, now, self._ttl)]
        for digest in unborn:
            del self._kept[digest], created[digest]
        self._newest = max(created.values(), default=-math.inf)
        return len(unborn)


def size_of(value: CachedSubgraph) -> int:
    """What a value takes in memory, about, in bytes."""
    tokens = len(value.token_ids) + len(value.prompt_token_ids)
    return _ENTRY_BYTES + TREE_FACTOR * len(value.text) + _TOKEN_BYTES * tokens
