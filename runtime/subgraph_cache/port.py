"""`SubgraphCache`: the port of caches that keep checked subgraphs, so that a task that was solved is not solved again.

An adapter keeps entries and judges nothing: `GenerationCache` stores valid answers only, and checks again whatever an
adapter gives back. The adapters are `MemorySubgraphCache` and `SqliteSubgraphCache`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from agentic_dsl.compiler.pipeline import ReportEntry
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import Stats
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, LibraryUse, below, version_of

DEFAULT_TTL = 24 * 3600.0
"""Seconds until an entry is forgotten."""

SKEW_SECONDS = 300.0
"""How far in the future an entry may have been stored, where clocks were set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSubgraph:
    """What is kept of one valid generation.

    Attributes:
        text: the answer; whoever reads it checks it again.
        report: how each constraint was enforced when it was written.
        token_ids: the tokens of the answer.
        prompt_token_ids: the prompt as the model read it.
        stats: what the generation cost then.
        engine: the engine and its model.
        libraries: the library entries that it may call.
        skills: the names of the skills that the model was given.
        created: when it was stored, in seconds since the epoch; the cache that stores it sets it.
        generation: the checked answer itself, where the cache is in the memory of the process that checked it.
    """

    text: str
    engine: str
    report: tuple[ReportEntry, ...] = ()
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    stats: Stats = field(default_factory=Stats)
    libraries: tuple[LibraryUse, ...] = ()
    skills: tuple[str, ...] = ()
    created: float = 0.0
    generation: Generation | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, generation: Generation, engine: str, libraries: tuple[LibraryUse, ...] = ()) -> CachedSubgraph:
        """What is kept of a generation, which is kept too."""
        return cls(
            text=generation.text,
            engine=engine,
            report=generation.report,
            token_ids=generation.token_ids,
            prompt_token_ids=generation.prompt_token_ids,
            stats=generation.stats,
            libraries=libraries,
            skills=generation.skills,
            generation=replace(generation, cached=True),
        )


@dataclass(frozen=True, slots=True)
class CachedEntry:
    """One entry as it is listed: its name, what it is of, when it was stored and last used, its size in bytes.

    Its libraries are None where they cannot be read: then it may call any.
    """

    digest: str
    path: str
    engine: str
    libraries: tuple[LibraryUse, ...] | None
    created: float
    used: float
    nbytes: int


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did since this process opened it, and what it holds now.

    Attributes:
        hits: look-ups that found an entry.
        misses: look-ups that found none.
        stores: entries stored.
        evictions: entries removed to stay within the bounds.
        expired: entries removed because of their age.
        damaged: entries, or whole files, removed because they were not what had been stored.
        bytes: what the entries take, about.
        entries: how many there are.
    """

    hits: int = 0
    misses: int = 0
    stores: int = 0
    evictions: int = 0
    expired: int = 0
    damaged: int = 0
    bytes: int = 0
    entries: int = 0


class SubgraphCache(Protocol):
    """Keeps subgraphs by their keys. Safe to share between threads; no look-up or store ever raises.

    A lease says that somebody generates an entry, so that other processes wait for it. It ends by itself.
    """

    def get(self, key: CacheKey) -> CachedSubgraph | None:
        """The entry, which counts as used now, or None."""
        ...

    def put(self, key: CacheKey, value: CachedSubgraph) -> bool:
        """Stores an entry, replaces one that is there, and ends a lease on it. False where it could not be stored."""
        ...

    def discard(self, key: CacheKey) -> None:
        """Removes an entry that turned out to be damaged: its last look-up was a miss."""
        ...

    def invalidate(
        self, path_prefix: str | None = None, *, library: str | None = None, version: str | None = None
    ) -> int:
        """Removes the entries that meet all that is given, see `Selection`, and says how many.

        Raises:
            CacheError: they could not be removed; all of them are still there.
        """
        ...

    def warm_up(self, paths: Sequence[str]) -> int:
        """Reads the entries of blocks at or below these paths or that may call libraries there.

        Damaged ones are removed, the others count as used now, so that they are the last to go. Returns how many.
        """
        ...

    def clear(self) -> int:
        """Removes everything and says how many entries that were.

        Raises:
            CacheError: nothing could be removed.
        """
        ...

    def ls(self) -> list[CachedEntry]:
        """The entries, the last used first."""
        ...

    def stats(self) -> CacheStats:
        """What it did and holds."""
        ...

    def lease(self, key: CacheKey) -> bool:
        """Takes the lease on an entry; False where another process has it or has just stored the entry."""
        ...

    def leased(self, key: CacheKey) -> bool:
        """Whether another process has the lease."""
        ...

    def release(self, key: CacheKey) -> None:
        """Ends a lease of this process without an entry."""
        ...

    def close(self) -> None:
        """Lets go of files. Later look-ups find nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries an invalidation means: those that meet everything that is given.

    Attributes:
        path_prefix: blocks at or below this path.
        library: entries that may call a library entry at or below this path.
        version: of that entry, by its leading parts: ``1`` means every ``1.x.y``. None means every version. An entry
            that calls a library without a version meets all.
    """

    path_prefix: str | None = None
    library: str | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        if self.path_prefix is None and self.library is None:
            raise UsageError("nothing says which subgraphs to remove", help="name a path or a library, or clear all")
        if self.version is not None and self.library is None:
            raise UsageError(f'the version "{self.version}" is of no library', help="name the library too")
        for path in (self.path_prefix, self.library):
            if path is not None and not path.startswith("/"):
                raise UsageError(f'"{path}" is not a path', help="write it from its first /")
        if self.version is not None:
            try:
                version_of(self.version)
            except ValueError as exc:
                raise UsageError(str(exc), help="write one to three numbers, such as 1.2") from exc

    def holds(self, path: str, libraries: Sequence[LibraryUse] | None) -> bool:
        """Whether an entry is meant. One whose path or libraries (None) cannot be read may be, so it is."""
        if self.path_prefix is not None and path.startswith("/") and not below(path, self.path_prefix):
            return False
        if self.library is None or libraries is None:
            return True
        return any(use.is_hit(self.library, self.version) for use in libraries)


def is_below_any(paths: Sequence[str], path: str, libraries: Sequence[LibraryUse] | None) -> bool:
    """Whether a block or a library that it may call stands at or below one of some paths; None may call any."""
    if libraries is None:
        return bool(paths)
    return any(below(path, prefix) or any(below(use.path, prefix) for use in libraries) for prefix in paths)


def is_fresh(created: float, now: float, ttl: float) -> bool:
    """Whether an entry of that time is neither too old nor from a future that no clock explains; seconds."""
    return -SKEW_SECONDS <= now - created < ttl
