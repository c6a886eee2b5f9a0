"""vLLM's xgrammar back end with our matcher for requests that carry a contract. Imported inside vLLM only.

vLLM asks for a grammar object a request, and drives it: fill a row of the mask, validate drafts, accept tokens, roll
back. `ContractBackend` gives it a `ContractGrammar` for grammars of ours and leaves every other request to its parent.

Where each thing happens: the front end (API server, or the caller's thread) checks a request with
`validate_structured_outputs`, so that refusals are answered with our message; the engine core compiles it again,
from memory where both are one process, and takes the steps.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from vllm.exceptions import VLLMValidationError
from vllm.v1.structured_output.backend_types import StructuredOutputGrammar, StructuredOutputOptions
from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

from agentic_dsl.errors import AgenticDSLError, TokenizerError
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.plugins.contracts import ContractCompiler
from agentic_dsl.runtime.plugins.engine_tokenizer import ending_with, engine_tokenizer
from agentic_dsl.runtime.plugins.metrics import Outcome, plugin_metrics
from agentic_dsl.runtime.tokenizer import Tokenizer
from agentic_dsl.runtime.wire import UnknownVersionError, has_contract

if TYPE_CHECKING:
    import torch

    from agentic_dsl.runtime.matcher import Matcher

_log = logging.getLogger("vllm.agentic_dsl")  # below vLLM's own logger, whose handlers it thereby has

Validate = Callable[[Any, Any, Any, Any], None]


class ContractGrammar(StructuredOutputGrammar):  # type: ignore[misc]  # vLLM is not installed where types are checked
    """One request's matcher, as vLLM drives it."""

    def __init__(self, matcher: Matcher, driving: Lock, forbidden: tuple[int, ...] = ()) -> None:
        """Begins a sequence.

        Args:
            matcher: at its beginning.
            driving: held while the matcher works; vLLM fills the masks of large batches in several threads.
            forbidden: tokens of text at which the request asks vLLM to stop; not written before the end.
        """
        self._matcher = matcher
        self._driving = driving
        self._forbidden = forbidden
        self._accepted = 0
        self._tensor: torch.Tensor | None = None
        self._rows: Any = None

    def accept_tokens(self, request_id: str, tokens: list[int]) -> bool:
        """Appends tokens; False where one is not allowed. What follows the end is ignored, as in vLLM's own."""
        with self._driving:
            for token in tokens:
                if self._matcher.is_terminated():
                    break
                if not self._matcher.accept(token):
                    plugin_metrics().rejected()
                    _log.error("agentic-dsl: the token %d of request %s is not allowed there", token, request_id)
                    return False
                self._accepted += 1
        return True

    def validate_tokens(self, tokens: list[int]) -> list[int]:
        """The longest beginning of a draft that is allowed; the state stays as it is."""
        with self._driving:
            count = 0
            while count < len(tokens) and not self._matcher.is_terminated() and self._matcher.accept(tokens[count]):
                count += 1
            self._matcher.rollback(count)
        return tokens[:count]

    def rollback(self, num_tokens: int) -> None:
        """Takes accepted tokens back."""
        with self._driving:
            self._matcher.rollback(num_tokens)
        self._accepted -= num_tokens

    def fill_bitmask(self, bitmask: torch.Tensor, batch_index: int) -> None:
        """Writes one row of vLLM's mask."""
        if bitmask is not self._tensor:  # vLLM has one tensor for all its steps
            self._tensor, self._rows = bitmask, bitmask.numpy()
        begun = time.perf_counter()
        with self._driving:
            if not self._matcher.fill_bitmask(self._rows, batch_index):
                self._rows[batch_index] = -1
        if self._forbidden:
            _forbid(self._rows[batch_index], self._forbidden)
        plugin_metrics().filled(time.perf_counter() - begun)

    def is_terminated(self) -> bool:
        """Whether the end was accepted."""
        return self._matcher.is_terminated()

    def reset(self) -> None:
        """Back to the beginning."""
        self.rollback(self._accepted)


class ContractBackend(XgrammarBackend):  # type: ignore[misc]  # as above
    """The stock back end; grammars with a contract get our matcher."""

    def compile_grammar(
        self,
        request_type: StructuredOutputOptions,
        grammar_spec: str,
        stop_token_ids: set[int] | None = None,
    ) -> StructuredOutputGrammar:
        """See vLLM's own. Called in a pool of threads."""
        if request_type is StructuredOutputOptions.GRAMMAR and has_contract(grammar_spec):
            stops = frozenset(stop_token_ids or ())
            try:
                compiler = contract_compiler(self.vllm_config.model_config, self.tokenizer, self.vocab_size, stops)
                forbidden = _text_tokens(compiler.tokenizer, stops)
                return ContractGrammar(compiler.matcher(grammar_spec), compiler.driving, forbidden)
            except (UnknownVersionError, TokenizerError) as exc:
                leave_to_stock(exc)
        return super().compile_grammar(request_type, grammar_spec, stop_token_ids)


def validating(stock: Validate) -> Validate:
    """A request's check as vLLM has it, with the one of contracts before it.

    Raises in turn vLLM's own error, which its server answers with HTTP 400 and our message.
    """

    def validate(params: Any, model_config: Any, structured_outputs_config: Any, tokenizer: Any) -> None:
        grammar = getattr(params.structured_outputs, "grammar", None)
        if not (isinstance(grammar, str) and has_contract(grammar)) or tokenizer is None:
            return stock(params, model_config, structured_outputs_config, tokenizer)
        try:
            outcome = contract_outcome(grammar, model_config, tokenizer, model_config.get_vocab_size())
        except AgenticDSLError as exc:
            plugin_metrics().contract("refused")
            raise VLLMValidationError(str(exc)) from exc
        stock(params, model_config, structured_outputs_config, tokenizer)
        if (chosen := params.structured_outputs._backend) != "xgrammar":
            leave_to_stock(_OtherBackendError(chosen))
            outcome = "grammar"
        plugin_metrics().contract(outcome)
        return None

    return validate


def contract_outcome(grammar: str, model_config: Any, tokenizer: Any, vocab_size: int) -> Outcome:
    """Who will enforce a contract; what can be left to stock vLLM is, with a warning.

    Raises:
        ConstraintError: it is to be refused.
    """
    try:
        compiler = contract_compiler(model_config, tokenizer, vocab_size)
        return "overlay" if compiler.compile(grammar).contract.semantic else "grammar"
    except (UnknownVersionError, TokenizerError) as exc:
        leave_to_stock(exc)
        return "grammar"


def contract_compiler(
    model_config: Any, tokenizer: Any, vocab_size: int, stops: Collection[int] | None = None
) -> ContractCompiler:
    """The compiler for an engine's tokenizer, one a process.

    Args:
        model_config: vLLM's.
        tokenizer: vLLM's.
        vocab_size: the number of logits.
        stops: the tokens at which the request stops; None where they are not known yet, which is all end tokens.

    Raises:
        TokenizerError: the tokenizer cannot be read; see `engine_tokenizer`.
    """
    with _making:
        base = _tokenizer(tokenizer, str(model_config.tokenizer), vocab_size)
        if isinstance(base, TokenizerError):
            raise base
        own = base if stops is None else ending_with(base, stops)
        return _compiler(base, own.eos_token_ids)


def leave_to_stock(reason: AgenticDSLError) -> None:
    """Says once for each reason that contracts are left to vLLM's own grammars, and counts each."""
    plugin_metrics().fallback(reason.code)
    _warn_once(str(reason))


class _OtherBackendError(AgenticDSLError):
    """The server runs another grammar back end than the one that the plug-in extends."""

    code = "backend"

    def __init__(self, backend: str) -> None:
        super().__init__(
            f'the server\'s structured-output back end is "{backend}"', help="start it with the back end xgrammar"
        )


_making = Lock()


# Few: a process has one model, and its requests nearly always the same end tokens.
@cache
def _tokenizer(theirs: Any, source: str, vocab_size: int) -> Tokenizer | TokenizerError:
    try:
        return engine_tokenizer(theirs, source, vocab_size)
    except TokenizerError as exc:  # kept like a result: trying again would cost every request half a second
        return exc


@cache
def _compiler(base: Tokenizer, ends: tuple[int, ...]) -> ContractCompiler:
    return ContractCompiler(ending_with(base, ends), store=MaskStore())


@lru_cache(maxsize=64)  # reasons quote requests
def _warn_once(reason: str) -> None:
    _log.warning(
        "agentic-dsl: a contract is left to vLLM's own grammar, so not all of its rules hold while text is written: %s",
        reason,
    )


def _text_tokens(tokenizer: Tokenizer, stops: Collection[int]) -> tuple[int, ...]:
    """Those of the tokens at which a request stops that spell text; the others are never in a mask before the end."""
    tokens = tokenizer.vocabulary.tokens
    return tuple(token for token in stops if 0 <= token < len(tokens) and tokens[token] is not None)


def _forbid(row: Any, tokens: tuple[int, ...]) -> None:
    """Clears the bits of these tokens, unless no other would be left."""
    before = row.copy()
    words = row.view(np.uint32)
    for token in tokens:
        words[token >> 5] &= np.uint32(0xFFFFFFFF ^ (1 << (token & 31)))
    if not row.any():
        row[:] = before
