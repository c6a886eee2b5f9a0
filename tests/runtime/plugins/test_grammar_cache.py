"""The cache of compiled grammars never holds more than it may."""

from __future__ import annotations

from agentic_dsl.runtime.plugins.grammar_cache import GrammarCache


def test_what_was_used_last_stays() -> None:
    cache = GrammarCache(max_entries=2)
    cache["ebnf", "a"] = 1
    cache["ebnf", "b"] = 2
    assert cache.get(("ebnf", "a")) == 1
    cache["ebnf", "c"] = 3
    assert list(cache) == [("ebnf", "a"), ("ebnf", "c")]


def test_long_texts_and_large_grammars_push_out_others() -> None:
    cache = GrammarCache(max_bytes=100, weigh=int)
    cache["ebnf", "a" * 10] = 30
    cache["ebnf", "b" * 10] = 40
    assert cache.nbytes == 90
    cache["regex", "c" * 20] = 5
    assert list(cache) == [("ebnf", "b" * 10), ("regex", "c" * 20)]
    assert cache.nbytes == 75


def test_what_is_larger_than_the_cache_is_not_kept_and_pushes_nothing_out() -> None:
    cache = GrammarCache(max_bytes=100, weigh=int)
    cache["ebnf", "a"] = 1
    cache["ebnf", "b"] = 100
    assert list(cache) == [("ebnf", "a")]
    assert cache.nbytes == 2


def test_what_is_not_to_be_kept_is_not_and_ends_what_was_there() -> None:
    cache = GrammarCache(keeps=lambda _, value: value is not None)
    cache["ebnf", "a"] = 1
    cache["ebnf", "a"] = None
    assert ("ebnf", "a") not in cache
    assert cache.nbytes == 0


def test_replacing_and_clearing_count_bytes_once() -> None:
    cache = GrammarCache(weigh=int)
    for size in (5, 7):
        cache["ebnf", "abc"] = size
    assert cache.nbytes == 10
    cache.clear()
    assert cache.nbytes == len(cache) == 0
