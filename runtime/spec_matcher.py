"""`Matcher` as exported: straight from a compiled spec and a tokenizer, for one sequence and for trying things out."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from agentic_dsl.errors import ConstraintError, MissingExtraError
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler
from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.matcher.protocol import Matcher as AnyMatcher

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.runtime.mask_store import MaskStore
    from agentic_dsl.runtime.matcher.explain import Explanation
    from agentic_dsl.runtime.tokenizer import Tokenizer


class Matcher:
    """Enforces a spec token by token; exported as ``agentic_dsl.Matcher``.

    A spec in the xgrammar dialect is held to all rules of the language, the constraints and the token budget; its
    report says ``overlay`` where that goes beyond the grammar. Other dialects, and ``semantic=False``, are held to the
    grammar.

    It makes the tables of the tokenizer by itself, which takes tenths of a second. Whoever matches many sequences
    shares them, as the engines do.

    Attributes:
        inner: the matcher that does the work.
    """

    __slots__ = ("inner",)

    def __init__(
        self,
        compiled: CompiledSpec,
        tokenizer: Tokenizer,
        *,
        semantic: bool = True,
        max_output_tokens: int | None = None,
        store: MaskStore | None = None,
    ) -> None:
        """Starts at the beginning of the text.

        Args:
            compiled: a spec in a dialect that is matched here, which is any but ``gbnf``.
            tokenizer: the tokenizer of the model that writes.
            semantic: whether a spec in the xgrammar dialect is held to all rules, not to its grammar alone.
            max_output_tokens: the most tokens, end token included; None takes the one of the constraints.
            store: where masks compiled from a grammar are kept on disk, or None.

        Raises:
            ConstraintError: the spec is in another dialect, no answer fits into the tokens (the message says how many
                are needed), or the grammar alone is asked to keep to a number of tokens.
            MissingExtraError: the library that reads the grammar is not installed.
        """
        self.inner: AnyMatcher = _begin(compiled, tokenizer, semantic, max_output_tokens, store)

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """Writes which tokens are allowed next; see `agentic_dsl.runtime.matcher.protocol.Matcher.fill_bitmask`.

        Raises:
            EngineError: the bitmask has another type, shape or memory layout, or no such row.
        """
        return self.inner.fill_bitmask(bitmask, row)

    def accept(self, token_id: int) -> bool:
        """Appends one token; False (and no change) where it is not allowed."""
        return self.inner.accept(token_id)

    def rollback(self, n: int) -> None:
        """Takes the last ``n`` accepted tokens back.

        Raises:
            EngineError: fewer tokens were accepted.
        """
        self.inner.rollback(n)

    def is_terminated(self) -> bool:
        """Whether an end token has been accepted."""
        return self.inner.is_terminated()

    def jump_forward(self) -> str:
        """The text that every completion continues with; empty where there is a choice."""
        return self.inner.jump_forward()

    def explain(self, what: int | str | bytes) -> Explanation | None:
        """Why a token, or a text, may not come next; None where it may.

        Raises:
            ConstraintError: the matcher is held to a grammar alone, which knows no reasons.
            UsageError: the tokenizer has no such token.
        """
        from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher

        if isinstance(self.inner, SemanticMatcher):
            return self.inner.explain(what)
        raise ConstraintError(
            "a grammar alone knows no reasons", help='match a spec of the dialect "xgrammar" with semantic=True'
        )

    def fork(self) -> Matcher:
        """An independent matcher in the same state, its tokens included."""
        other = object.__new__(Matcher)
        other.inner = self.inner.fork()
        return other


def _begin(
    compiled: CompiledSpec, tokenizer: Tokenizer, semantic: bool, max_output_tokens: int | None, store: MaskStore | None
) -> AnyMatcher:
    """The matcher of a spec's dialect."""
    dialect = compiled.dialect
    if dialect == "xgrammar" and semantic:
        return _semantic(compiled, tokenizer, max_output_tokens)
    if max_output_tokens is not None:
        raise ConstraintError(
            "a grammar alone does not count tokens, so it cannot keep to max_output_tokens",
            help='match a spec of the dialect "xgrammar" with semantic=True, or leave max_output_tokens out',
        )
    match dialect:
        case "xgrammar":
            return compile_masks(compiled.grammar, tokenizer, store=store).matcher()
        case "llguidance" | "llguidance-parametric":
            return LlguidanceCompiler(tokenizer).matcher(compiled.grammar)
        case "gbnf":
            raise ConstraintError(
                f"a matcher cannot read the dialect {dialect}", help='compile with dialect="xgrammar"'
            )
        case _:
            assert_never(dialect)


def _semantic(compiled: CompiledSpec, tokenizer: Tokenizer, max_output_tokens: int | None) -> AnyMatcher:
    try:
        from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
    except ImportError as exc:  # its tables are arrays
        raise MissingExtraError.of("numpy", "masks") from exc
    return SemanticMatcher(compiled, tokenizer, max_output_tokens=max_output_tokens)
