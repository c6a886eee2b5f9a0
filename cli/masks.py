"""Masks as commands make and report them."""

from __future__ import annotations

from typing import TypedDict


class MaskRecord(TypedDict):
    """The masks of a grammar as ``--format json`` prints them."""

    key: str
    path: str | None
    bytes: int | None
    cached: bool


def mask_record(grammar: str, tokenizer: str) -> MaskRecord:
    """Compiles the masks of a grammar for a tokenizer into the store, or finds them there.

    Args:
        grammar: text in the xgrammar dialect.
        tokenizer: what `agentic_dsl.runtime.tokenizer.load_tokenizer` takes.

    Raises:
        TokenizerError: the tokenizer cannot be loaded.
        ConstraintError: the grammar cannot be compiled.
        MissingExtraError: xgrammar is not installed.
    """
    from agentic_dsl.runtime.mask_store import MaskStore
    from agentic_dsl.runtime.masks import compile_masks
    from agentic_dsl.runtime.tokenizer import load_tokenizer

    masks = compile_masks(grammar, load_tokenizer(tokenizer), store=MaskStore())
    return {
        "key": masks.key,
        "path": str(masks.path) if masks.path else None,
        "bytes": masks.path.stat().st_size if masks.path and masks.path.exists() else None,
        "cached": masks.cached,
    }
