"""Sessions become programs of the prefix cache, and end with their last request."""

from __future__ import annotations

import pytest

from agentic_dsl.runtime.engines.base import ServingHints
from agentic_dsl.runtime.engines.embedded import sessions as module
from agentic_dsl.runtime.engines.embedded.sessions import Sessions
from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache


def test_requests_of_one_session_are_one_program_until_the_last_one() -> None:
    prefixes: PrefixCache[CountedPayload] = PrefixCache(100)
    sessions = Sessions(prefixes)
    first, other = ServingHints(session="a"), ServingHints(session="b")
    assert sessions.program(first) == sessions.program(first) != sessions.program(other)
    assert prefixes.statistics().programs == 2
    sessions.finish([first, None, ServingHints(session="a", is_final=True), ServingHints(is_final=True)])
    assert prefixes.statistics().programs == 1
    sessions.finish([ServingHints(session="a", is_final=True)])
    assert prefixes.statistics().programs == 1


def test_without_a_session_or_a_cache_there_is_no_program() -> None:
    prefixes: PrefixCache[CountedPayload] = PrefixCache(100)
    assert Sessions(prefixes).program(None) is None
    assert Sessions(prefixes).program(ServingHints()) is None
    assert Sessions(None).program(ServingHints(session="a")) is None
    Sessions(None).finish([ServingHints(session="a", is_final=True)])


def test_sessions_that_never_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    prefixes: PrefixCache[CountedPayload] = PrefixCache(100)
    sessions = Sessions(prefixes)
    for number in range(10):
        sessions.program(ServingHints(session=f"s{number}"))
    assert prefixes.statistics().programs == 3
    again = sessions.program(ServingHints(session="s0"))
    assert again is not None
    assert prefixes.statistics().programs == 3
