"""Compiles grammars to token masks, in one place: what xgrammar knows of a tokenizer is decided here.

Special tokens are blanked. xgrammar's own reading of a Hugging Face tokenizer leaves ``<|im_start|>`` a plain
text token, which a quoted string may then contain. Vocabularies are handed over as bytes, which
also takes 17 ms (49k tokens) and 50 ms (152k) where a stored one would take 20 and 64 to load: so it is not stored.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from agentic_dsl.errors import CacheError, ConstraintError, MissingExtraError
from agentic_dsl.runtime.mask_payload import slim
from agentic_dsl.runtime.mask_store import MaskKey, MaskStore
from agentic_dsl.runtime.matcher import GrammarMatcher

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from agentic_dsl.runtime.tokenizer import Tokenizer
    from agentic_dsl.runtime.vocabulary import Vocabulary

_log = logging.getLogger(__name__)

BACKEND = "xgrammar"

_MAX_THREADS = 8
_RULE_CACHE_BYTES = 256 << 20
_KEPT_GRAMMARS = 64
_POSITION = re.compile(r"EBNF \w+ error at line (\d+), column (\d+): (.+)")
_SOURCE_LINE = re.compile(r"^\[[\d:]+\] \S+: ")  # where in xgrammar an error arose

Origin = Literal["compiled", "store", "memory"]


@dataclass(frozen=True, eq=False)
class CompiledGrammar:
    """A grammar with its token masks, for one vocabulary. Immutable, safe to share between threads.

    Attributes:
        key: the digest of everything that it depends on.
        vocabulary: the tokens that its masks are about.
        handle: xgrammar's ``CompiledGrammar``, for adapters of engines that take one.
        origin: where it came from this time.
        path: its file in the mask store, or None.
    """

    key: str
    vocabulary: Vocabulary
    handle: Any
    origin: Origin
    path: Path | None = None

    @property
    def cached(self) -> bool:
        """Whether nothing had to be compiled."""
        return self.origin != "compiled"

    @property
    def vocab_size(self) -> int:
        """The number of token ids that a mask covers."""
        return len(self.vocabulary.tokens)

    @property
    def nbytes(self) -> int:
        """The approximate size in memory, in bytes."""
        return int(self.handle.memory_size_bytes)

    def matcher(self) -> GrammarMatcher:
        """A new matcher at the beginning of the text."""
        return GrammarMatcher(self.start(), self.vocabulary)

    def start(self) -> Any:
        """The engine's own matcher at the beginning of the text; a `GrammarMatcher` takes it over."""
        import xgrammar

        return xgrammar.GrammarMatcher(self.handle)


class MaskCompiler:
    """Compiles grammars for one tokenizer; owned by an engine and kept as long as it.

    It holds what makes the next compilation cheap: xgrammar's view of the vocabulary, its cache of compiled rules
    (a grammar that differs in the rules of a request takes 6 to 24 ms instead of 45 to 110), and the last
    compiled grammars. All are bounded. Safe to use from several threads.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        store: MaskStore | None = None,
        max_threads: int | None = None,
        background_writes: bool = False,
    ) -> None:
        """Builds xgrammar's view of the tokenizer, which takes some 20 to 50 ms.

        Args:
            tokenizer: the tokenizer of the model that will be constrained.
            store: where compiled grammars are kept on disk, or None.
            max_threads: threads of one compilation; None is the number of processors, at most 8.
            background_writes: whether new grammars are stored by a thread of its own, so that a request does
                not wait for that (0.1 to 0.4 s); `close` waits for it.

        Raises:
            MissingExtraError: xgrammar is not installed.
        """
        try:
            import xgrammar
        except ImportError as exc:
            raise MissingExtraError.of("xgrammar", "masks") from exc
        self.tokenizer = tokenizer
        self.store = store
        self._versions = {
            "tokenizer": tokenizer.fingerprint,
            "backend": BACKEND,
            "backend_version": importlib.metadata.version("xgrammar"),
            "serialization": xgrammar.get_serialization_version(),
        }
        # An empty token is what xgrammar takes for a special one. It leaves the bits after the last token set, so
        # the last word of the bitmask is filled up with such tokens.
        tokens = [token or b"" for token in tokenizer.vocabulary.tokens]
        tokens += [b""] * (-len(tokens) % 32)
        self._info = xgrammar.TokenizerInfo(
            tokens, xgrammar.VocabType.RAW, stop_token_ids=list(tokenizer.eos_token_ids)
        )
        self._compiler = xgrammar.GrammarCompiler(
            self._info,
            max_threads=max_threads or min(_MAX_THREADS, os.cpu_count() or 1),
            cache_limit_bytes=_RULE_CACHE_BYTES,
        )
        self._kept: OrderedDict[str, CompiledGrammar] = OrderedDict()
        self._lock = Lock()
        self._writer = ThreadPoolExecutor(1, "mask-store") if background_writes and store is not None else None

    def __enter__(self) -> MaskCompiler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits until everything is stored; what is compiled afterwards is stored at once."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()

    def key(self, grammar_text: str) -> MaskKey:
        """The key under which the store holds, or would hold, this grammar.

        Raises:
            ConstraintError: the text holds half of a surrogate pair.
        """
        try:
            return MaskKey.of(grammar_text, **self._versions)
        except UnicodeEncodeError as exc:
            raise ConstraintError(
                f"the grammar holds half of a surrogate pair at character {exc.start}",
                help="decode the names in the constraints again from their source",
            ) from exc

    def compile(self, grammar_text: str) -> CompiledGrammar:
        """The compiled grammar: from memory, from the store, or compiled now and stored.

        A store that cannot be written or read costs time, not the result.

        Args:
            grammar_text: EBNF in xgrammar's dialect, whose first rule to match is ``root``.

        Raises:
            ConstraintError: the text is not a grammar, or no text can match it.
        """
        key = self.key(grammar_text)
        digest = key.digest
        with self._lock:
            if (kept := self._kept.get(digest)) is not None:
                self._kept.move_to_end(digest)
                return replace(kept, origin="memory")
        compiled = self._load(key) or self._compile(key, grammar_text)
        with self._lock:
            self._kept[digest] = compiled
            while len(self._kept) > _KEPT_GRAMMARS:
                self._kept.popitem(last=False)
        return compiled

    def _load(self, key: MaskKey) -> CompiledGrammar | None:
        import xgrammar

        if self.store is None or (payload := self.store.get(key)) is None:
            return None
        try:
            handle = xgrammar.CompiledGrammar.deserialize_json(payload.decode(), self._info)
        except (RuntimeError, UnicodeDecodeError) as exc:
            self.store.discard(key, _reason(exc))
            return None
        return CompiledGrammar(key.digest, self.tokenizer.vocabulary, handle, "store", self.store.path_of(key))

    def _compile(self, key: MaskKey, grammar_text: str) -> CompiledGrammar:
        try:
            handle = self._compiler.compile_grammar(grammar_text)
        except RuntimeError as exc:
            raise _not_a_grammar(exc) from exc
        path = self.store.path_of(key) if self.store is not None else None
        compiled = CompiledGrammar(key.digest, self.tokenizer.vocabulary, handle, "compiled", path)
        bitmask = allocate_bitmask(1, compiled.vocab_size)
        if compiled.matcher().fill_bitmask(bitmask, 0) and not bitmask.any():
            raise ConstraintError("no token can begin a text of this grammar", help="relax the constraints")
        if self.store is None:
            return compiled
        if self._writer is not None:
            self._writer.submit(self._save, key, handle)
            return compiled
        return compiled if self._save(key, handle) else replace(compiled, path=None)

    def _save(self, key: MaskKey, handle: Any) -> bool:
        """Stores a compiled grammar, whole if it cannot be loaded when cut; says whether it is there."""
        import xgrammar

        store = self.store
        if store is None:
            return False
        whole = handle.serialize_json()
        payload = slim(whole)
        try:
            xgrammar.CompiledGrammar.deserialize_json(payload, self._info)
        except RuntimeError as exc:
            _log.warning("mask store: a cut grammar cannot be loaded (%s); stored uncut", _reason(exc))
            payload = whole
        try:
            return store.put(key, payload.encode()) is not None
        except CacheError as exc:
            _log.warning("%s", exc)
            return False


def compile_masks(
    grammar_text: str, tokenizer: Tokenizer, *, store: MaskStore | None = None, max_threads: int | None = None
) -> CompiledGrammar:
    """Compiles one grammar for one tokenizer. Whoever compiles more than one keeps a `MaskCompiler`.

    Args:
        grammar_text: EBNF in xgrammar's dialect.
        tokenizer: the tokenizer of the model that will be constrained.
        store: where compiled grammars are kept on disk, or None.
        max_threads: as for `MaskCompiler`.

    Raises:
        ConstraintError: the text is not a grammar, or no text can match it.
        MissingExtraError: xgrammar is not installed.
    """
    return MaskCompiler(tokenizer, store=store, max_threads=max_threads).compile(grammar_text)


def allocate_bitmask(rows: int, vocab_size: int) -> npt.NDArray[np.int32]:
    """A bitmask that allows everything: int32 of shape (rows, ceil(vocab_size / 32)), all bits set.

    Raises:
        MissingExtraError: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError as exc:
        raise MissingExtraError.of("numpy", "masks") from exc
    return np.full((rows, (vocab_size + 31) // 32), -1, dtype=np.int32)


def _not_a_grammar(exc: RuntimeError) -> ConstraintError:
    if (found := _POSITION.search(str(exc))) is not None:
        line, column, reason = found.groups()
        return ConstraintError(
            f"the grammar is malformed at line {line}, column {column}: {reason.strip()}",
            help="correct the grammar there",
        )
    return ConstraintError(f"the grammar cannot be compiled: {_reason(exc)}", help="simplify the constraints")


def _reason(exc: Exception) -> str:
    """The first line of an error of xgrammar, without the place in its sources."""
    lines = str(exc).strip().splitlines() or [type(exc).__name__]
    return _SOURCE_LINE.sub("", lines[0])
