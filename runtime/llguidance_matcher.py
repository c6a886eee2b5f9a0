"""The llguidance back end: grammars in its Lark dialect, compiled in milliseconds, behind the `Matcher` protocol.

Where xgrammar prepares masks before use, llguidance computes each mask when it is asked for. That suits requests whose
grammar is never seen again. Nothing is stored, for there is nothing to store.

llguidance reports failures as a state that a matcher never leaves, not as exceptions. Here they become
`ConstraintError` when the grammar is at fault and `EngineError` when its limits were hit on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import ConstraintError, EngineError, MissingExtraError
from agentic_dsl.runtime.matcher.bitmask import allow_only, check_bitmask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from agentic_dsl.runtime.tokenizer import Tokenizer
    from agentic_dsl.runtime.vocabulary import Vocabulary

_OPTIONS = '%llguidance {"no_forcing": true}\n'
"""Forced text is left to `jump_forward`. llguidance would otherwise allow only one spelling of it, the canonical one,
where the other back ends allow every token that fits."""

MAX_ITEMS = 50_000
"""llguidance's own limit of 2,000 is too low for a large catalogue of tools."""

_POSITION = re.compile(r"(?:<[^>]*>|\S*)?\bat (\d+)\((\d+)\): (.+)|(\d+)\((\d+)\): (.+)")
_TOO_LARGE = re.compile(r"too (?:large|big|complex|many)|limit|fuel|exceed", re.IGNORECASE)


class LlguidanceCompiler:
    """Makes matchers for one tokenizer; owned by an engine and kept as long as it. Safe to use from several threads."""

    def __init__(self, tokenizer: Tokenizer, *, max_items: int = MAX_ITEMS) -> None:
        """Builds llguidance's view of the tokenizer, which takes some 50 to 300 ms.

        Args:
            tokenizer: the tokenizer of the model that will be constrained.
            max_items: how many ways to read the text so far a matcher may follow at once; a catalogue of tools
                needs about two for each.

        Raises:
            MissingExtraError: llguidance is not installed.
            EngineError: llguidance refuses the vocabulary.
        """
        try:
            import llguidance
        except ImportError as exc:
            raise MissingExtraError.of("llguidance", "llguidance") from exc
        self.tokenizer = tokenizer
        self._limits = llguidance.LLParserLimits(max_items_in_row=max_items)
        try:
            self._tokenizer = llguidance.LLTokenizer(
                llguidance.TokenizerWrapper(_View(tokenizer)), eos_token=list(tokenizer.eos_token_ids)
            )
        except Exception as exc:
            # What its constructor raises is not documented; it comes out of Rust as several types.
            raise EngineError(
                f'llguidance cannot use the tokenizer "{tokenizer.name}": {exc}',
                help="use the xgrammar back end for this model",
            ) from exc

    def matcher(self, grammar_text: str) -> LlguidanceMatcher:
        """A matcher at the beginning of the text, after compiling the grammar.

        Args:
            grammar_text: Lark in llguidance's dialect, whose root is ``start``.

        Raises:
            ConstraintError: the text is not a grammar, is too large, or no text can match it.
        """
        import llguidance

        inner = llguidance.LLMatcher(self._tokenizer, _OPTIONS + grammar_text, log_level=0, limits=self._limits)
        if inner.is_error():
            raise _not_a_grammar(inner.get_error())
        return LlguidanceMatcher(inner, self.tokenizer.vocabulary)


class LlguidanceMatcher:
    """The grammar alone, by llguidance's matcher; made by `LlguidanceCompiler.matcher`.

    Once an end token is accepted, only end tokens are allowed in bitmasks and nothing is accepted any more.
    """

    __slots__ = ("_accepted", "_inner", "_terminated", "_vocabulary")

    def __init__(self, inner: Any, vocabulary: Vocabulary, *, accepted: int = 0, terminated: bool = False) -> None:
        self._inner = inner
        self._vocabulary = vocabulary
        self._accepted = accepted
        self._terminated = terminated

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """See `Matcher.fill_bitmask`.

        Raises:
            EngineError: the bitmask has another type, shape or memory layout, or no such row; or llguidance hit one
                of its limits.
        """
        check_bitmask(bitmask, row, len(self._vocabulary.tokens))
        if self._terminated:
            allow_only(self._vocabulary.eos_token_ids, bitmask, row)
            return True
        target = bitmask[row]
        try:
            self._inner.unsafe_compute_mask_ptr(target.ctypes.data, target.nbytes)
        except (RuntimeError, ValueError) as exc:
            raise _failed(str(exc)) from exc
        self._require_sound()
        return True

    def accept(self, token_id: int) -> bool:
        """See `Matcher.accept`. Blank and unknown tokens are never allowed.

        Raises:
            EngineError: llguidance hit one of its limits.
        """
        tokens = self._vocabulary.tokens
        if self._terminated or not 0 <= token_id < len(tokens):
            return False
        is_end = tokens[token_id] is None
        if is_end and token_id not in self._vocabulary.eos_token_ids:
            return False
        if is_end:
            # A matcher of theirs that took an end token cannot be forked or rolled back alike in all versions,
            # so the end is noted here alone.
            if not self._inner.is_accepting():
                return False
            self._terminated = True
        else:
            consumed = self._inner.try_consume_tokens([token_id])
            self._require_sound()
            if consumed != 1:
                return False
        self._accepted += 1
        return True

    def rollback(self, n: int) -> None:
        """See `Matcher.rollback`.

        Raises:
            EngineError: fewer tokens were accepted.
        """
        if not 0 <= n <= self._accepted:
            raise EngineError(f"{n} tokens cannot be taken back: {self._accepted} were accepted")
        if not n:
            return
        inner = n - self._terminated
        if inner and not self._inner.rollback(inner):
            raise _failed(self._inner.get_error())
        self._accepted -= n
        self._terminated = False

    def is_terminated(self) -> bool:
        """See `Matcher.is_terminated`."""
        return self._terminated

    def jump_forward(self) -> str:
        """See `Matcher.jump_forward`. Whole characters only."""
        if self._terminated:
            return ""
        forced: bytes = self._inner.compute_ff_bytes()
        try:
            return forced.decode()
        except UnicodeDecodeError as exc:
            # It ends within a character. Or it begins within one: then there is no text to give yet.
            return forced[: exc.start].decode()

    def fork(self) -> LlguidanceMatcher:
        """See `Matcher.fork`."""
        return LlguidanceMatcher(
            self._inner.deep_copy(), self._vocabulary, accepted=self._accepted, terminated=self._terminated
        )

    def _require_sound(self) -> None:
        if self._inner.is_error():
            raise _failed(self._inner.get_error())


class _View:
    """A tokenizer of ours as llguidance's constructor wants it: attributes, and a call that encodes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokens = tokenizer.vocabulary.tokens
        # A blank token needs a spelling of its own; as a special one it can never be text.
        self.tokens = [f"<|blank {i}|>".encode() if token is None else token for i, token in enumerate(tokens)]
        self.special_token_ids = [i for i, token in enumerate(tokens) if token is None]
        self.eos_token_id = tokenizer.eos_token_ids[0]
        self.bos_token_id = None
        self._encode = tokenizer.encode

    def __call__(self, text: str | bytes) -> Sequence[int]:
        return self._encode(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def _not_a_grammar(message: str) -> ConstraintError:
    reason = _first_line(message)
    if (found := _POSITION.search(message)) is not None:
        line, column, what = (group for group in found.groups() if group is not None)
        return ConstraintError(
            # The options stand on a line of their own before the grammar.
            f"the grammar is malformed at line {int(line) - 1}, column {column}: {what.strip()}",
            help="correct the grammar there",
        )
    if _TOO_LARGE.search(reason):
        return ConstraintError(f"the grammar is too large for llguidance: {reason}", help="simplify the constraints")
    return ConstraintError(f"the grammar cannot be compiled: {reason}", help="correct the grammar")


def _failed(message: str) -> EngineError:
    return EngineError(
        f"llguidance stopped in the middle of the text: {_first_line(message)}",
        help="use the xgrammar back end for this grammar",
    )


def _first_line(message: str) -> str:
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
