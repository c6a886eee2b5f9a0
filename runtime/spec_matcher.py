"""`Matcher` as exported: straight from a compiled spec and a tokenizer, for one sequence and for trying things out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.matcher.grammar_matcher import GrammarMatcher

if TYPE_CHECKING:
    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.runtime.mask_store import MaskStore
    from agentic_dsl.runtime.tokenizer import Tokenizer


class Matcher(GrammarMatcher):
    """Enforces the grammar of a spec; exported as ``agentic_dsl.Matcher``.

    It compiles the masks by itself, which takes tenths of a second. Whoever matches many sequences keeps one
    `agentic_dsl.runtime.masks.MaskCompiler` and takes matchers from what that compiles, as the engines do.
    """

    __slots__ = ()

    def __init__(self, compiled: CompiledSpec, tokenizer: Tokenizer, *, store: MaskStore | None = None) -> None:
        """Compiles the masks and starts at the beginning of the text.

        Args:
            compiled: a spec in the xgrammar dialect.
            tokenizer: the tokenizer of the model that writes.
            store: where compiled masks are kept on disk, or None.

        Raises:
            ConstraintError: the spec is in another dialect.
        """
        if compiled.dialect != "xgrammar":
            raise ConstraintError(
                f"a matcher cannot read the dialect {compiled.dialect}", help='compile with dialect="xgrammar"'
            )
        masks = compile_masks(compiled.grammar, tokenizer, store=store)
        super().__init__(masks.start(), masks.vocabulary)
