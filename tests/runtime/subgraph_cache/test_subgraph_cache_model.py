"""The caches behave like a dictionary with an age and an order of use, whatever is done to them."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import GREEDY
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, LibraryUse, cache_key
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

TTL = 50.0
MOST = 4
PATHS = ("/dynamic/a", "/dynamic/a/b", "/dynamic/ab", "/lib/x/y")
USES = (
    LibraryUse("/lib/x/y", "1.2"),
    LibraryUse("/lib/x/y", "2"),
    LibraryUse("/lib/xx/y", "1"),
    LibraryUse("/lib/x/z"),
)
KEYS = [
    cache_key(name, Constraints(path=path, signature="() -> ()"), engine="e", sampling=GREEDY)
    for path in PATHS
    for name in "pq"
]
keys = st.sampled_from(KEYS)
uses = st.sets(st.sampled_from(USES)).map(lambda found: tuple(sorted(found, key=str)))


class CacheModel(RuleBasedStateMachine):
    """Does the same to a dictionary, the cache in memory and the one on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1e6
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name, "c.sqlite3")
        self.memory = MemorySubgraphCache(max_entries=MOST, ttl=TTL, clock=lambda: self.now)
        self.disk = self.open()
        self.model: OrderedDict[CacheKey, CachedSubgraph] = OrderedDict()

    def open(self) -> SqliteSubgraphCache:
        return SqliteSubgraphCache(self.file, max_entries=MOST, ttl=TTL, clock=lambda: self.now, touch_seconds=0)

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        for key in [key for key, value in self.model.items() if self.now - value.created >= TTL]:
            del self.model[key]

    @rule(key=keys, text=st.text(max_size=20), libraries=uses)
    def put(self, key: CacheKey, text: str, libraries: tuple[LibraryUse, ...]) -> None:
        self.tick()
        value = CachedSubgraph(text=text, engine="e", libraries=libraries, created=self.now)
        self.model.pop(key, None)
        while len(self.model) >= MOST:
            self.model.popitem(last=False)
        self.model[key] = value
        assert self.memory.put(key, value)
        assert self.disk.put(key, value)

    @rule(key=keys)
    def get(self, key: CacheKey) -> None:
        self.tick()
        expected = self.model.get(key)
        if expected is not None:
            self.model.move_to_end(key)
        assert self.memory.get(key) == expected
        assert self.disk.get(key) == expected

    @rule(seconds=st.floats(0, TTL * 0.7))
    def wait(self, seconds: float) -> None:
        self.tick(seconds)

    @rule(seconds=st.sampled_from((3.0, 400.0)))
    def set_the_clock_back(self, seconds: float) -> None:
        self.now -= seconds
        for key in [key for key, value in self.model.items() if value.created - self.now > 300]:
            del self.model[key]

    @rule(prefix=st.sampled_from(("/dynamic", "/dynamic/a", "/lib/x", "/other")))
    def invalidate_path(self, prefix: str) -> None:
        self.tick()
        gone = [key for key in self.model if (key.path + "/").startswith(prefix + "/")]
        for key in gone:
            del self.model[key]
        assert self.memory.invalidate(prefix) == self.disk.invalidate(prefix) == len(gone)

    @rule(version=st.sampled_from((None, "1", "1.2", "1.3", "2")))
    def invalidate_library(self, version: str | None) -> None:
        self.tick()

        def hit(use: LibraryUse) -> bool:
            known = None if use.version is None else {"1.2": ("1", "1.2"), "2": ("2",)}[use.version]
            return version is None or known is None or version in known

        gone = [
            key
            for key, value in self.model.items()
            if any(use.path in ("/lib/x/y", "/lib/x/z") and hit(use) for use in value.libraries)
        ]
        for key in gone:
            del self.model[key]
        arguments = {"library": "/lib/x", "version": version}
        assert self.memory.invalidate(**arguments) == self.disk.invalidate(**arguments) == len(gone)  # type: ignore[arg-type]

    @rule(path=st.sampled_from(PATHS))
    def warm_up(self, path: str) -> None:
        self.tick()
        meant = [
            key
            for key, value in self.model.items()
            if (key.path + "/").startswith(path + "/") or any(use.path == path for use in value.libraries)
        ]
        for key in meant:
            self.model.move_to_end(key)
        assert self.memory.warm_up([path]) == len(meant)
        assert self.disk.warm_up([path]) == len(meant)

    @rule()
    @precondition(lambda self: self.model)
    def clear(self) -> None:
        self.tick()
        assert self.memory.clear() == self.disk.clear() == len(self.model)
        self.model.clear()

    @rule()
    def open_the_file_again(self) -> None:
        self.disk.close()
        self.disk = self.open()

    @invariant()
    def they_hold_the_same(self) -> None:
        expected = {key.digest for key in self.model}
        assert {entry.digest for entry in self.memory.ls()} == expected
        assert {entry.digest for entry in self.disk.ls()} == expected
        assert self.memory.stats().entries == self.disk.stats().entries == len(expected)

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()


TestCacheModel = CacheModel.TestCase
TestCacheModel.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
