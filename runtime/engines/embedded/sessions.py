"""Sessions of requests as programs of a prefix cache: what only a finished session used is the first to go."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

from cachetools import LRUCache

from agentic_dsl.runtime.engines.base import ServingHints
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache

MOST = 1024
"""Sessions that are open at once; the one that was not heard of for longest counts as finished."""


class Sessions:
    """The program of each session that is open. Safe for several threads."""

    def __init__(self, prefixes: PrefixCache[Any] | None) -> None:
        self._prefixes = prefixes
        self._programs: LRUCache[str, int] = LRUCache(MOST)
        self._lock = Lock()

    def program(self, hints: ServingHints | None) -> int | None:
        """The program that a request belongs to, opened with the first request of its session."""
        if self._prefixes is None or hints is None or hints.session is None:
            return None
        with self._lock:
            program = self._programs.get(hints.session)
            if program is None:
                if len(self._programs) >= MOST:
                    self._prefixes.close_program(self._programs.popitem()[1])
                program = self._programs[hints.session] = self._prefixes.open_program()
            return program

    def finish(self, answered: Iterable[ServingHints | None]) -> None:
        """Closes the sessions of which these were the last requests."""
        for hints in answered:
            if self._prefixes is None or hints is None or hints.session is None or not hints.is_final:
                continue
            with self._lock:
                program = self._programs.pop(hints.session, None)
            if program is not None:
                self._prefixes.close_program(program)
