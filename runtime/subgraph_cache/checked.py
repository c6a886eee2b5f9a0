"""`CheckedCache`: a subgraph cache that gives and takes valid generations only.

What comes back from a file is parsed and checked like any answer of a model, so whatever is in the file, it cannot
become a subgraph that breaks a rule.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cachetools import LRUCache

from agentic_dsl.compiler.grammar.enforcement import Level
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.errors import UsageError
from agentic_dsl.format import format_subgraph
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.forks import renewed_in_forks
from agentic_dsl.runtime.reparse import Reparsed, reparse
from agentic_dsl.runtime.subgraph_cache.key import CacheKey, cache_key, is_repeatable, libraries_used
from agentic_dsl.runtime.subgraph_cache.memory import TREE_FACTOR
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph, SubgraphCache

if TYPE_CHECKING:
    from agentic_dsl.ast import Subgraph
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.runtime.engines.base import Sampling

_log = logging.getLogger(__name__)

_CHECKED_BYTES = 32 << 20
"""What remembered checks may take."""


@dataclass(frozen=True, slots=True)
class CacheRequest:
    """One generation that is wanted.

    Attributes:
        key: its name; None where its answer must not be reused, because the next one would be another.
        constraints: its contract, which every answer is checked against.
        engine: the engine and its model.
        library: what references may name beside the constraints' own.
    """

    key: CacheKey | None
    constraints: Constraints
    engine: str
    library: Library | None = None


class CheckedCache:
    """A `SubgraphCache` with the checks around it. Safe to share between threads.

    Attributes:
        subgraphs: where the entries are; statistics and invalidation are its own.
    """

    def __init__(self, subgraphs: SubgraphCache, *, cache_unseeded: bool = False) -> None:
        """Puts checks before a cache.

        Args:
            subgraphs: where the entries are.
            cache_unseeded: reuse answers that were sampled without a seed too, so that a task that would get another
                answer each time gets the first one again.
        """
        self.subgraphs = subgraphs
        self._cache_unseeded = cache_unseeded
        self._forget_checks()
        renewed_in_forks(self)

    def _forget_checks(self) -> None:
        self._lock = threading.Lock()
        self._checked: LRUCache[tuple[str, bytes], Reparsed] = LRUCache(
            _CHECKED_BYTES, getsizeof=lambda answer: 1_000 + TREE_FACTOR * len(answer.document.source.text)
        )

    def start_anew(self) -> None:
        """A forked child remembers checks too, unless another thread of its parent was remembering one just then."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._forget_checks()

    def request(
        self,
        prompt: str,
        constraints: Constraints,
        *,
        engine: str,
        sampling: Sampling,
        library: Library | None = None,
        options: str = "",
    ) -> CacheRequest:
        """The request for one generation, with the arguments of `cache_key`."""
        if not (self._cache_unseeded or is_repeatable(sampling)):
            return CacheRequest(None, constraints, engine, library)
        key = cache_key(prompt, constraints, engine=engine, sampling=sampling, library=library, options=options)
        return CacheRequest(key, constraints, engine, library)

    def get(self, request: CacheRequest) -> Generation | None:
        """The stored answer, checked, with ``cached`` set; None where there is none."""
        if request.key is None:
            return None
        value = self.subgraphs.get(request.key)
        if value is None or value.generation is not None:
            return None if value is None else value.generation
        answer = self._check(value.text, request.key, request)
        if not answer.valid:
            _log.warning("subgraph cache: the entry for %s no longer keeps the rules; removed", request.key.path)
            self.subgraphs.discard(request.key)
            return None
        return Generation(
            text=value.text,
            subgraph=answer.subgraph,
            diagnostics=answer.diagnostics,
            report=value.report,
            token_ids=value.token_ids,
            prompt_token_ids=value.prompt_token_ids,
            stats=value.stats,
            cached=True,
            skills=value.skills,
            document=answer.document,
        )

    def put(self, request: CacheRequest, generation: Generation) -> bool:
        """Stores a generation where it is valid and may be reused; says whether it was."""
        if request.key is None or not generation.valid or generation.cached:
            return False
        libraries = libraries_used(request.constraints, generation.document, request.library)
        return self.subgraphs.put(request.key, CachedSubgraph.of(generation, request.engine, libraries))

    def cache_subgraph(self, subgraph: Subgraph, request: CacheRequest) -> Generation:
        """Stores a subgraph that no model wrote as the answer to a request.

        Returns:
            The generation that the request will get.

        Raises:
            UsageError: the subgraph breaks a rule of the language or of the constraints, or cannot be stored.
            ConstraintError: the constraints cannot be compiled.
        """
        if request.key is None:
            raise UsageError(
                "a request that is sampled without a seed has no cached answer",
                help="give a seed, or a temperature of 0, or make the cache with cache_unseeded=True",
            )
        text = format_subgraph(replace(subgraph, prose="", heading_note=""))
        answer = reparse(text, request.constraints, library=request.library)
        if not answer.valid:
            reason = next((finding for finding in answer.diagnostics if finding.is_error), None)
            raise UsageError(
                f"the subgraph {subgraph.path} is no answer to this request: "
                + (f"{reason.code} {reason.message}" if reason else "it holds no block"),
                help=reason.help if reason and reason.help else "change the subgraph or the constraints",
            )
        report = tuple(
            entry if entry.level is Level.UNSUPPORTED else replace(entry, level=Level.CHECKED, checked_detail=None)
            for entry in compile(request.constraints).report
        )
        generation = Generation(
            text=text,
            subgraph=answer.subgraph,
            diagnostics=answer.diagnostics,
            report=report,
            document=answer.document,
        )
        if not self.put(request, generation):
            raise UsageError(
                f"the subgraph {subgraph.path} could not be stored",
                help="make the cache larger, or its folder writable",
            )
        return replace(generation, cached=True)

    def warm_up(self, paths: Sequence[str]) -> int:
        """See `SubgraphCache.warm_up`."""
        return self.subgraphs.warm_up(paths)

    def _check(self, text: str, key: CacheKey, request: CacheRequest) -> Reparsed:
        """The text, parsed and checked; what was checked for this key before is remembered by its content."""
        name = (key.digest, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        with self._lock:
            known = self._checked.get(name)
        if known is None:
            known = reparse(text, request.constraints, library=request.library)
            with self._lock:
                if known.valid and self._checked.getsizeof(known) <= self._checked.maxsize:
                    self._checked[name] = known
        return known
