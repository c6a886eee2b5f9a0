"""From a request's grammar text to its matcher, for plug-ins of any engine: bounded, shared, compiled once.

A plug-in hands over the text of every grammar for which `wire.has_contract` holds. What is enforced is compiled from
the constraints in the first line; the grammar below them is for engines without a plug-in.
"""

from __future__ import annotations

import hashlib
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from threading import Lock

from cachetools import LRUCache

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.masks import CompiledGrammar, MaskCompiler
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.plugins.metrics import plugin_metrics
from agentic_dsl.runtime.tokenizer import Tokenizer
from agentic_dsl.runtime.wire import Bounds, Contract, read_contract

_log = logging.getLogger(__name__)

_WORKERS = 2
"""Compilations at a time. They hold the interpreter's lock for most of their time, so more would not be faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server is willing to do for contracts.

    Attributes:
        bounds: the largest contract that is read.
        seconds: the longest that one request waits for its compilation.
        waiting: the most compilations that are begun and not finished; further new contracts are refused.
        kept: the number of compiled contracts kept, those used last.
    """

    bounds: Bounds = field(default_factory=Bounds)
    seconds: float = 20.0
    waiting: int = 64
    kept: int = 256


@dataclass(frozen=True, slots=True)
class CompiledContract:
    """A contract, read and compiled for one tokenizer; shared by the requests that carry it.

    Attributes:
        contract: what was asked for.
        source: the plan of the semantic matcher, or the masks where the grammar alone is asked for.
    """

    contract: Contract
    source: Plan | CompiledGrammar


class ContractCompiler:
    """Makes matchers for one tokenizer. Safe to use from several threads.

    Equal contracts are compiled once, whoever asks meanwhile waits for the same compilation. A compilation that takes
    longer than the limit is refused for those who wait; it ends in the background and is kept, so that the
    contract is there when it is sent again.

    Attributes:
        tokenizer: the engine's.
        limits: see `Limits`.
        driving: to be held while a matcher is filled or advanced, by engines that do this in several threads: the
            matchers share tables.
    """

    def __init__(self, tokenizer: Tokenizer, *, store: MaskStore | None = None, limits: Limits | None = None) -> None:
        """Keeps what it is given; tables are made when they are first needed (`warm_up`).

        Args:
            tokenizer: the engine's. Its end tokens must be tokens at which the engine stops.
            store: where compiled grammars are kept on disk, or None.
            limits: None is `Limits()`.
        """
        self.tokenizer = tokenizer
        self.limits = limits or Limits()
        self.driving = Lock()
        self._store = store
        self._compiled: LRUCache[bytes, CompiledContract] = LRUCache(self.limits.kept)
        self._begun: dict[bytes, Future[CompiledContract]] = {}
        self._lock = Lock()
        self._making = Lock()
        self._overlay: Overlay | None = None
        self._masks: MaskCompiler | None = None
        self._workers = ThreadPoolExecutor(_WORKERS, "agentic-dsl-compile")

    def warm_up(self) -> None:
        """Makes the tables that every semantic matcher needs, which takes 0.1 to 0.5 s."""
        self._shared_overlay()

    def matcher(self, grammar: str) -> Matcher:
        """The matcher of a new sequence.

        Args:
            grammar: a text for which `wire.has_contract` holds.

        Raises:
            UnknownVersionError: the contract is of another version; the grammar's text holds all the same.
            ConstraintError: it is damaged, larger than the limits, takes too long to compile, or nothing satisfies it.
        """
        compiled = self.compile(grammar)
        if isinstance(compiled.source, CompiledGrammar):
            return compiled.source.matcher()
        return SemanticMatcher(
            compiled.source,
            self.tokenizer,
            max_output_tokens=compiled.contract.max_output_tokens,
            overlay=self._shared_overlay(),
        )

    def compile(self, grammar: str) -> CompiledContract:
        """What `matcher` starts from; raises the same."""
        # Before any other work: hashing and reading are bounded by it too.
        if len(grammar) > self.limits.bounds.characters:
            read_contract(grammar, self.limits.bounds)
        line = grammar.partition("\n")[0]
        digest = hashlib.sha256(line.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            if (compiled := self._compiled.get(digest)) is not None:
                return compiled
            if (future := self._begun.get(digest)) is None:
                if len(self._begun) >= self.limits.waiting:
                    raise ConstraintError(
                        f"{len(self._begun):,} other contracts are being compiled", help="send the request again later"
                    )
                future = self._begun[digest] = self._workers.submit(self._build, digest, line)
        try:
            return future.result(self.limits.seconds)
        except FutureTimeoutError as exc:
            raise ConstraintError(
                f"compiling the contract takes longer than the {self.limits.seconds:g} seconds that this server allows",
                help="give fewer tools, or send the request again later",
            ) from exc

    def close(self) -> None:
        """Lets go of the workers; what they compile they still finish."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _build(self, digest: bytes, line: str) -> CompiledContract:
        begun = time.perf_counter()
        try:
            contract = read_contract(line, self.limits.bounds)
            compiled = CompiledContract(contract, self._source(contract))
            with self._lock:
                self._compiled[digest] = compiled
        finally:
            with self._lock:
                del self._begun[digest]
        seconds = time.perf_counter() - begun
        plugin_metrics().compiled(seconds)
        if seconds > self.limits.seconds:
            _log.warning("compiling a contract took %.1f s; it is kept from now on", seconds)
        return compiled

    def _source(self, contract: Contract) -> Plan | CompiledGrammar:
        if not contract.semantic:
            return self._mask_compiler().compile(compile(contract.constraints).grammar)
        plan = Plan.of(contract.constraints)
        # The plan's dearest tables are made here, within the limit, and not where the engine takes its steps.
        self._shared_overlay().bounds(plan)
        SemanticMatcher(
            plan,
            self.tokenizer,
            max_output_tokens=contract.max_output_tokens,
            overlay=self._shared_overlay(),
        )
        return plan

    def _shared_overlay(self) -> Overlay:
        with self._making:
            if self._overlay is None:
                self._overlay = Overlay(trie_of(self.tokenizer.vocabulary))
            return self._overlay

    def _mask_compiler(self) -> MaskCompiler:
        with self._making:
            if self._masks is None:
                self._masks = MaskCompiler(self.tokenizer, store=self._store)
            return self._masks
