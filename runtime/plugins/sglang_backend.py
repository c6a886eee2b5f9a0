"""The grammar back end for SGLang: contracts get our matcher, every other request gets SGLang's own XGrammar.

SGLang compiles in threads, keeps the compiled object, and gives each request a copy. One thread of its scheduler then
fills and advances all copies, rows of stock grammars among them, so ours is a subclass of the stock object.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sglang.srt.constrained.base_grammar_backend import (
    BaseGrammarObject,
    GrammarRow,
    GrammarStats,
    InvalidGrammarObject,
)
from sglang.srt.constrained.xgrammar_backend import GrammarCompiler, XGrammarGrammar, XGrammarGrammarBackend

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import AgenticDSLError, EngineError
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.plugins.contracts import ContractCompiler, Limits
from agentic_dsl.runtime.plugins.grammar_cache import GrammarCache, Key
from agentic_dsl.runtime.plugins.metrics import plugin_metrics
from agentic_dsl.runtime.plugins.served_tokenizer import served_tokenizer
from agentic_dsl.runtime.wire import UnknownVersionError, has_contract, with_contract

if TYPE_CHECKING:
    import numpy.typing as npt

_log = logging.getLogger(__name__)

_RULE_CACHE_BYTES = 256 << 20

# Refusing by the clock would let one rank of a tensor-parallel group refuse what another accepts. SGLang has a time
# limit of its own, on which its ranks agree.
_LIMITS = Limits(seconds=threading.TIMEOUT_MAX)


class ContractGrammar(XGrammarGrammar):  # type: ignore[misc]  # SGLang has no type information
    """One request's matcher, as SGLang's scheduler drives it; masks are allocated, moved and applied as in stock."""

    def __init__(
        self, matcher: Matcher, compiler: ContractCompiler, vocab_size: int, key_string: str, stats: Any
    ) -> None:
        super().__init__(None, vocab_size, None, None, key_string, stats)
        self._start = matcher
        self._compiler = compiler
        self._matcher = matcher.fork()
        self._is_counted = False

    def accept_token(self, token: int) -> None:
        """Advances by a token; after the end token nothing changes any more, as in stock.

        Raises:
            ValueError: the token is not allowed; SGLang ends the request with this text.
        """
        if self._matcher.is_terminated():
            return
        self.current_token = token
        with self._compiler.driving:
            accepted = self._matcher.accept(token)
        if not accepted:
            plugin_metrics().rejected()
            # Without the grammar and the text: they are a user's, and this goes to logs.
            place = len(self.accepted_tokens)
            raise ValueError(f"the contract of this request does not allow the token {token} after {place} tokens")
        self.accepted_tokens.append(token)

    def rollback(self, k: int) -> None:
        """Takes back the last ``k`` tokens."""
        with self._compiler.driving:
            self._matcher.rollback(k)
        del self.accepted_tokens[len(self.accepted_tokens) - k :]

    def is_terminated(self) -> bool:
        """Whether the end token was accepted."""
        return self._matcher.is_terminated()

    def fill_vocab_mask(self, vocab_mask: Any, idx: int) -> None:
        """Writes the row ``idx`` of a bitmask on the CPU."""
        begun = time.perf_counter()
        with self._compiler.driving:
            is_narrowed = self._matcher.fill_bitmask(vocab_mask.numpy(), idx)
        if not is_narrowed:
            vocab_mask[idx].fill_(-1)
        if not self._is_counted:
            self._is_counted = True
            plugin_metrics().contract("overlay")
        plugin_metrics().filled(time.perf_counter() - begun)

    def copy(self) -> ContractGrammar:
        """The same contract for another request, from its beginning."""
        stats = self.grammar_stats
        if stats is not None:
            stats = dataclasses.replace(stats, is_cache_hit=True, tree_traversal_time=[])
        return ContractGrammar(self._start, self._compiler, self.vocab_size, self.key_string, stats)

    def try_jump_forward(self, tokenizer: object) -> tuple[list[int], str] | None:  # noqa: ARG002  # SGLang's signature
        """The text that must come next, or None."""
        text = self._matcher.jump_forward()
        return ([], text) if text else None

    def jump_and_retokenize(self, old_output_ids: list[int], new_output_ids: list[int], next_state: int) -> None:  # noqa: ARG002
        """Goes back to where two tokenizations part, and follows the new one.

        Raises:
            ValueError: the contract does not allow a token of the new one.
        """
        same = 0
        for old, new in zip(old_output_ids, new_output_ids, strict=False):
            if old != new:
                break
            same += 1
        if same < len(old_output_ids):
            self.rollback(len(old_output_ids) - same)
        for token in new_output_ids[same:]:
            self.accept_token(token)

    def __repr__(self) -> str:
        return f"ContractGrammar({len(self.accepted_tokens)} tokens, {self.current_token=})"


class ContractGrammarBackend(XGrammarGrammarBackend):  # type: ignore[misc]  # SGLang has no type information
    """SGLang's XGrammar back end with contracts, and with caches that have an end.

    Attributes:
        contracts: makes the matchers.
    """

    def __init__(
        self,
        tokenizer: Any,
        vocab_size: int,
        model_eos_token_ids: list[int] | None = None,
        any_whitespace: bool = True,
        max_whitespace_cnt: int | None = None,
        *,
        limits: Limits = _LIMITS,
    ) -> None:
        """As the stock back end.

        Raises:
            TokenizerNotSupportedError: XGrammar cannot use the tokenizer.
            AgenticDSLError: the toolkit cannot; the stock back end can serve.
        """
        super().__init__(tokenizer, vocab_size, model_eos_token_ids, any_whitespace, max_whitespace_cnt)
        self.contracts = ContractCompiler(
            served_tokenizer(
                str(tokenizer.name_or_path),
                vocab_size=vocab_size,
                eos_token_ids=model_eos_token_ids or (),
                spelled=self._tokenizer_info.decoded_vocab,
            ),
            store=MaskStore(),
            limits=limits,
        )
        # The class that the stock module uses, so that both are of one library.
        self.grammar_compiler = GrammarCompiler(self._tokenizer_info, cache_limit_bytes=_RULE_CACHE_BYTES)
        bound_cache(self)
        self._self_test()

    def dispatch_ebnf(self, key_string: str) -> BaseGrammarObject:
        """Compiles a grammar; called by SGLang in a thread of its own, for grammars that are not in the cache."""
        if not has_contract(key_string):
            return super().dispatch_ebnf(key_string)
        try:
            return self._contract(key_string)
        except UnknownVersionError as exc:
            _log.warning("%s; the grammar alone is enforced", exc)
            plugin_metrics().fallback("version")
            return self._stock(key_string)
        except AgenticDSLError as exc:
            _log.info("refused a contract: %s", exc)
            plugin_metrics().contract("refused")
            return InvalidGrammarObject(str(exc))

    def compile_framed_grammar(
        self, grammar: BaseGrammarObject, frame: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> BaseGrammarObject:
        """Embeds a grammar into the message format of a model that thinks in messages: there it goes alone."""
        if isinstance(grammar, ContractGrammar):
            _log.warning(
                "this model's message format takes grammars only: the grammar of the contract alone is enforced"
            )
            plugin_metrics().fallback("framed")
            grammar = self._stock(grammar.key_string)
            if isinstance(grammar, InvalidGrammarObject):
                return grammar
        return super().compile_framed_grammar(grammar, frame)

    def _contract(self, key_string: str) -> ContractGrammar:
        matcher = self.contracts.matcher(key_string)
        stats = GrammarStats(dispatch_type="ebnf", ebnf_size=len(key_string))
        return ContractGrammar(matcher, self.contracts, self.vocab_size, key_string, stats)

    def _stock(self, key_string: str) -> BaseGrammarObject:
        grammar = super().dispatch_ebnf(key_string)
        refused = isinstance(grammar, InvalidGrammarObject)
        plugin_metrics().contract("refused" if refused else "grammar")
        return grammar

    def _self_test(self) -> None:
        """One step with the smallest contract; also makes the tables, so that no request waits for them.

        Raises:
            EngineError: SGLang's classes do not work as they did.
        """
        grammar = self._contract(with_contract(compile(Constraints()))).copy()
        masks = grammar.allocate_vocab_mask(self.vocab_size, 2, "cpu")
        grammar.fill_vocab_mask_batched([GrammarRow(0, grammar)], masks)
        allowed = _allowed(masks[0].numpy())
        tokens = self.contracts.tokenizer.vocabulary.tokens
        if not allowed or any(tokens[token] is None for token in allowed) or bool((masks[1] != -1).any()):
            raise EngineError("SGLang's masks are not filled as expected")
        grammar.accept_token(allowed[0])
        grammar.rollback(1)
        grammar.fill_vocab_mask(masks, 1)
        if grammar.is_terminated() or bool((masks[0] != masks[1]).any()):
            raise EngineError("SGLang's rows are not restored as expected")


def _allowed(row: npt.NDArray[np.int32]) -> list[int]:
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    return [int(token) for token in np.flatnonzero(bits)]


def bound_cache(backend: Any) -> None:
    """Gives a back end of SGLang, which keeps every grammar for ever, a cache with an end."""
    backend.cache = GrammarCache(weigh=_weight, keeps=_is_kept)


def _weight(value: Any) -> int:
    grammar = getattr(value, "grammar", None) or value  # of a model that reasons: the object wraps another one
    compiled = getattr(grammar, "ctx", None)
    return int(compiled.memory_size_bytes) if compiled is not None else 0


def _is_kept(key: Key, value: Any) -> bool:
    """All but contracts refused: why it was may be over, as when it took too long, and looking again is cheap."""
    return not (isinstance(value, InvalidGrammarObject) and has_contract(key[1]))
