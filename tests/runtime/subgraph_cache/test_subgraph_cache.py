"""What every subgraph cache does, in memory and on disk alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.engines.base import GREEDY, Stats
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, LibraryUse, cache_key
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache, size_of
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph, SubgraphCache
from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

KINDS = ("memory", "sqlite")
REPORT = compile(Constraints()).report


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., SubgraphCache]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[SubgraphCache] = []

    def build(**options: object) -> SubgraphCache:
        if request.param == "memory":
            made.append(MemorySubgraphCache(clock=clock, **options))  # type: ignore[arg-type]  # by name
        else:
            file = tmp_path / "c.sqlite3"
            made.append(SqliteSubgraphCache(file, clock=clock, touch_seconds=0, **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for cache in made:
        cache.close()


def key(name: str = "task", path: str = "/dynamic/plan") -> CacheKey:
    return cache_key(name, Constraints(path=path), engine="e/m", sampling=GREEDY)


def value(text: str = "text", libraries: tuple[LibraryUse, ...] = ()) -> CachedSubgraph:
    return CachedSubgraph(
        text=text,
        engine="e/m",
        report=REPORT,
        token_ids=(1, 2, 4_000_000_000),
        prompt_token_ids=(7,),
        stats=Stats(tokens=3, prompt_tokens=1, mask_us=1.5, seconds=0.25),
        libraries=libraries,
        skills=("mending-tyres", "ünï\udc80"),
    )


def test_what_was_put_is_got_with_the_time_it_was_put(make: Make, clock: Clock) -> None:
    cache = make()
    assert cache.get(key()) is None
    assert cache.put(key(), value("ünï\n\udc80code"))
    assert cache.get(key()) == replace(value("ünï\n\udc80code"), created=clock.now)
    assert cache.get(key("other")) is None
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.stores, stats.entries) == (1, 2, 1, 1)
    assert stats.bytes > 0


def test_putting_again_replaces(make: Make) -> None:
    cache = make()
    cache.put(key(), value("one"))
    cache.put(key(), value("two"))
    assert cache.get(key()) is not None
    assert cache.get(key()).text == "two"  # type: ignore[union-attr]  # asserted above
    assert cache.stats().entries == 1


def test_an_entry_lives_for_its_time_and_no_longer(make: Make, clock: Clock) -> None:
    cache = make(ttl=10)
    cache.put(key(), value())
    clock.now += 9.9
    assert cache.get(key()) is not None  # being used does not make it younger
    clock.now += 0.1
    assert cache.get(key()) is None
    assert (cache.stats().expired, cache.stats().entries) == (1, 0)


@pytest.mark.parametrize(("seconds", "found"), [(299, True), (301, False), (30 * 86_400, False)])
def test_where_the_clock_is_set_back_an_entry_of_the_future_is_a_miss(
    make: Make, clock: Clock, seconds: float, found: bool
) -> None:
    cache = make()
    clock.now += 40 * 86_400
    cache.put(key("far"), value())
    clock.now -= seconds
    cache.put(key("near"), value())
    clock.now += 1
    assert (cache.get(key("far")) is not None) == found
    assert cache.get(key("near")) is not None
    assert (len(cache.ls()), cache.stats().entries, cache.stats().expired) == (1 + found, 1 + found, 1 - found)


def test_where_the_clock_was_set_back_each_entry_still_has_its_own_end(make: Make, clock: Clock) -> None:
    cache = make(ttl=1000)
    cache.put(key("first"), value())
    clock.now -= 200
    cache.put(key("second"), value())
    clock.now += 1100
    assert [entry.digest for entry in cache.ls()] == [key("first").digest]
    assert cache.stats().entries == 1


def test_the_least_recently_used_goes_first(make: Make, clock: Clock) -> None:
    cache = make(max_entries=2)
    for name in ("a", "b"):
        clock.now += 1
        cache.put(key(name), value(name))
    clock.now += 1
    assert cache.get(key("a")) is not None
    clock.now += 1
    cache.put(key("c"), value("c"))
    assert [cache.get(key(name)) is not None for name in "abc"] == [True, False, True]
    assert cache.stats().evictions == 1


def test_the_listing_has_the_last_used_first_and_changes_nothing(make: Make, clock: Clock) -> None:
    cache = make(max_entries=3)
    for name in ("a", "b", "c"):
        clock.now += 1
        cache.put(key(name, f"/dynamic/{name}"), value(name))
    clock.now += 1
    cache.get(key("a", "/dynamic/a"))
    assert [entry.path for entry in cache.ls()] == ["/dynamic/a", "/dynamic/c", "/dynamic/b"]
    assert [entry.path for entry in cache.ls()] == ["/dynamic/a", "/dynamic/c", "/dynamic/b"]
    clock.now += 1
    cache.put(key("d"), value())
    assert cache.get(key("b", "/dynamic/b")) is None


def test_ten_thousand_puts_stay_within_the_bytes(make: Make) -> None:
    bound = 1 << 20
    cache = make(max_bytes=bound)
    for number in range(10_000):
        cache.put(replace(key(), prompt=str(number)), value("x" * (number % 500)))
    stats = cache.stats()
    assert stats.stores == 10_000
    assert stats.bytes <= bound
    assert 10 < stats.entries == 10_000 - stats.evictions
    assert cache.get(replace(key(), prompt="9999")) is not None
    assert cache.get(replace(key(), prompt="0")) is None


def test_an_entry_larger_than_the_cache_is_not_stored_and_removes_what_it_replaces(make: Make) -> None:
    cache = make(max_bytes=100_000)
    assert cache.put(key(), value())
    assert not cache.put(key(), value("x" * 200_000))
    assert cache.get(key()) is None
    assert cache.stats().evictions == 0


def test_invalidation_by_path_ends_at_segments(make: Make) -> None:
    cache = make()
    paths = ("/dynamic/a", "/dynamic/a/b", "/dynamic/ab")
    for path in paths:
        cache.put(key(path=path), value())
    assert cache.invalidate("/dynamic/a") == 2
    assert [cache.get(key(path=path)) is None for path in paths] == [True, True, False]
    assert cache.invalidate("/dynamic/a") == 0


def test_invalidation_by_library_and_version(make: Make) -> None:
    cache = make()
    uses = {
        "one": LibraryUse("/lib/human/greet", "1.4.0"),
        "two": LibraryUse("/lib/human/greet", "2"),
        "any": LibraryUse("/lib/human/greet"),
        "far": LibraryUse("/lib/humane/greet", "1"),
    }
    for name, use in uses.items():
        cache.put(key(name), value(libraries=(use,)))
    cache.put(key("none"), value())
    assert cache.invalidate(library="/lib/human", version="1") == 2
    assert [name for name in (*uses, "none") if cache.get(key(name)) is not None] == ["two", "far", "none"]
    assert cache.invalidate("/dynamic/other", library="/lib/human") == 0
    assert cache.invalidate("/dynamic", library="/lib/human") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "nothing says"),
        ({"version": "1"}, "nothing says"),
        ({"path_prefix": "/dynamic", "version": "1"}, "of no library"),
        ({"path_prefix": "dynamic"}, "not a path"),
        ({"library": "/lib/a", "version": "one"}, "not a version"),
        ({"library": "/lib/a", "version": "1.2.3.4"}, "not a version"),
    ],
)
def test_an_invalidation_that_means_nothing_is_refused(make: Make, arguments: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make().invalidate(**arguments)


def test_warmed_entries_are_the_last_to_go(make: Make, clock: Clock) -> None:
    cache = make(max_entries=3)
    for name in ("a", "b", "c"):
        clock.now += 1
        cache.put(key(name, f"/dynamic/{name}"), value(libraries=(LibraryUse(f"/lib/x/{name}", "1"),)))
    clock.now += 1
    assert cache.warm_up(["/lib/x/a", "/dynamic/b"]) == 2
    assert cache.warm_up(["/dynamic/other"]) == cache.warm_up([]) == 0
    clock.now += 1
    cache.put(key("d"), value())
    assert [cache.get(key(name, f"/dynamic/{name}")) is not None for name in "abc"] == [True, True, False]


def test_clearing_removes_everything_and_the_cache_goes_on(make: Make) -> None:
    cache = make()
    cache.put(key("a"), value())
    cache.put(key("b"), value())
    assert cache.clear() == 2
    assert cache.ls() == []
    cache.put(key("a"), value())
    assert cache.get(key("a")) is not None


def test_a_discarded_entry_was_a_miss(make: Make) -> None:
    cache = make()
    cache.put(key(), value())
    cache.get(key())
    cache.discard(key())
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.damaged, stats.entries) == (0, 1, 1, 0)


def test_many_threads_lose_and_mix_up_nothing(make: Make) -> None:
    cache = make()
    wrong: list[str] = []

    def work(thread: int) -> None:
        for number in range(40):
            name = f"{thread % 4}-{number % 10}"
            cache.put(key(name), value(name))
            found = cache.get(key(name))
            if found is None or found.text != name:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    stats = cache.stats()
    assert (stats.hits, stats.stores, stats.entries) == (320, 320, 40)


def test_a_closed_cache_finds_and_stores_nothing(make: Make) -> None:
    cache = make()
    cache.put(key(), value())
    cache.close()
    cache.close()
    assert cache.get(key()) is None


def test_the_size_in_memory_grows_with_text_and_tokens() -> None:
    assert size_of(value("x" * 1000)) - size_of(value("")) >= 20_000
    assert size_of(replace(value(), token_ids=(1,) * 1000)) - size_of(replace(value(), token_ids=())) >= 28_000
