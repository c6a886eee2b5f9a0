"""The cache of prefixes of one vLLM server: warmed up by requests, read and emptied over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.http.ask import Answer, Ask, AttemptFailed, failure
from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CONTROLS, PrefixCounts
from agentic_dsl.runtime.engines.vllm_prefixes import ASKED, REUSED, counts_of
from agentic_dsl.runtime.engines.warmed_prefixes import WarmedPrefixes
from agentic_dsl.runtime.prefix_cache.selector import Selector

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.openai import OpenAIEngine

T = TypeVar("T")

METRICS_PATH = "/metrics"
RESET_PATH = "/reset_prefix_cache"
"""Below a server's root."""

_SECONDS = 30.0
"""A server answers these between two steps, and a step that reads a long prompt on a CPU takes a while."""

_NUMBER = r"(\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?)"
_SAMPLE = re.compile(rf"^({ASKED}|{REUSED})(?:_total)?(?:\{{[^\n]*\}})? {_NUMBER}(?: -?\d+)?\s*$", re.MULTILINE)
"""A line of Prometheus' text form with one of the two counters."""


class _Reset(BaseModel):
    success: bool


class VllmServerPrefixes(WarmedPrefixes):
    """`PrefixControl` on a vLLM server. The engine, and with it the key and the connections, stays its caller's."""

    def __init__(self, engine: OpenAIEngine) -> None:
        """Keeps the engine; nothing is asked.

        Raises:
            EngineError: it has several base URLs, whose caches are not one.
        """
        super().__init__(engine, PREFIX_CONTROLS["openai"])
        if engine.servers > 1:
            raise EngineError(
                "the engine has several servers, and a warm-up reaches one of them",
                help=self.controls.prefetch.instead,
            )
        self._engine = engine

    def statistics(self) -> PrefixCounts:
        """See `PrefixControl.statistics`. Counted since the server was started, for all of its clients.

        Raises:
            EngineError: the server cannot be asked, or has no such counters.
        """
        return self._answer(Ask(path=METRICS_PATH, read=_read_counts, at_root=True, timeout=_SECONDS), "statistics")

    def evict(self, selector: Selector | None = None) -> None:
        """See `PrefixControl.evict`: everything, of every tenant and client.

        Raises:
            EngineError: a selector was given, the server does not let clients do it, or requests are running.
        """
        self._require_everything(selector)
        done = self._answer(Ask(path=RESET_PATH, read=_read_reset, body=b"{}", at_root=True, timeout=_SECONDS), "evict")
        if not done:
            raise EngineError(
                "the server drops nothing while requests are running", help="evict again when they have their answers"
            )

    def _answer(self, ask: Ask[T], call: str) -> T:
        try:
            value = self._engine.ask(ask)
        except AttemptFailed as exc:
            if exc.status in (404, 405):
                support = self.controls.support(call)
                raise EngineError(
                    f"the server has no {ask.path}: {support.detail}",
                    help="start vLLM's server with VLLM_SERVER_DEV_MODE=1" if call == "evict" else support.instead,
                ) from exc
            raise exc.error from exc
        return value


async def _read_counts(answer: Answer) -> PrefixCounts:
    lines = (await answer.body()).decode("utf-8", "replace")
    found = [(name, float(value)) for name, value in _SAMPLE.findall(lines)]
    if {name for name, _ in found} != {ASKED, REUSED}:
        raise failure(
            f"{answer.url} counts no prefixes", "ask a vLLM server that was started without --disable-log-stats"
        )
    return counts_of(found)


async def _read_reset(answer: Answer) -> bool:
    try:
        return _Reset.model_validate_json(await answer.body()).success
    except ValidationError as exc:
        raise failure(f"{answer.url} does not say whether it has dropped its cache", "ask a vLLM server") from exc


__all__ = ["METRICS_PATH", "RESET_PATH", "VllmServerPrefixes"]
