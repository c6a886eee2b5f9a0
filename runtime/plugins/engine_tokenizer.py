"""The engine's tokenizer as ours: the same tokens, as many as the model has logits, the same ends."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

_SAMPLE = '### AgenticDSL `/main/plan`\n```yaml\nid: node_1\ntype: "tool_call"\nnext: ["/end"]\n```\n'
"""Text as answers have it; what the engine makes of it must spell the same here."""


def engine_tokenizer(theirs: Any, source: str, vocab_size: int) -> Tokenizer:
    """Reads the tokenizer that an engine uses.

    Args:
        theirs: the engine's object, in the interface of transformers.
        source: where the engine read it: a folder, or a name that only the engine can resolve.
        vocab_size: the number of the model's logits, which is the width of the engine's masks. Models are often padded
            beyond their tokenizer; the rest is never allowed.

    Raises:
        TokenizerError: it cannot be read, or spells text otherwise than the engine's.
    """
    if Path(source).is_dir():
        tokenizer = load_tokenizer(Path(source))
    else:
        with tempfile.TemporaryDirectory(prefix="agentic-dsl-") as folder:
            try:
                theirs.save_pretrained(folder)
            # The boundary to the engine's library, whose tokenizers raise whatever they like, or cannot do this.
            except Exception as exc:
                raise TokenizerError(
                    f'the tokenizer of "{source}" cannot be written to a folder: {exc}',
                    help="give the engine a folder that holds the tokenizer",
                ) from exc
            tokenizer = load_tokenizer(folder)
    tokenizer = sized(replace(tokenizer, name=source), vocab_size)
    spelled = tokenizer.decode(theirs.encode(_SAMPLE, add_special_tokens=False))
    if spelled.lstrip() != _SAMPLE:  # some tokenizers put a blank before every text
        raise TokenizerError(
            f'the tokenizer of "{source}" spells text otherwise in the engine than in its files',
            help="give the engine the tokenizer that belongs to the model",
        )
    return tokenizer


def ending_with(tokenizer: Tokenizer, stops: Collection[int]) -> Tokenizer:
    """The tokenizer whose end tokens are those at which an engine stops.

    An end token at which the engine goes on would be followed by unconstrained text.

    Raises:
        TokenizerError: there is none.
    """
    vocabulary = tokenizer.vocabulary
    ends = tuple(token for token in vocabulary.eos_token_ids if token in stops)
    if not ends:
        raise TokenizerError(
            f'the engine stops at none of the tokens that end an answer of "{tokenizer.name}"',
            help="do not set ignore_eos, and let the engine read generation_config.json",
        )
    if ends == vocabulary.eos_token_ids:
        return tokenizer
    return replace(tokenizer, vocabulary=replace(vocabulary, eos_token_ids=ends))


def sized(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """With a token for each logit: cut where there are fewer logits, filled up with blanks where there are more."""
    vocabulary = tokenizer.vocabulary
    missing = vocab_size - len(vocabulary.tokens)
    if not missing:
        return tokenizer
    tokens = (vocabulary.tokens + (None,) * missing)[:vocab_size]
    specials = {token: text for token, text in vocabulary.specials.items() if token < vocab_size}
    ends = tuple(token for token in vocabulary.eos_token_ids if token < vocab_size)
    if not ends:
        raise TokenizerError(
            f'no end token of "{tokenizer.name}" is among the {vocab_size:,} logits of the model',
            help="give the engine the tokenizer that belongs to the model",
        )
    return replace(tokenizer, vocabulary=replace(vocabulary, tokens=tokens, specials=specials, eos_token_ids=ends))
