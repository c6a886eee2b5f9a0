"""The toolkit's view of the tokenizer that a server has loaded, compared with the server's own view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.plugins.engine_tokenizer import sized
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer


def served_tokenizer(
    source: str, *, vocab_size: int, eos_token_ids: Sequence[int] = (), spelled: Sequence[bytes] | None = None
) -> Tokenizer:
    """Loads the tokenizer that a server uses, as wide as the server's logits and ending where the server stops.

    Args:
        source: where the server's tokenizer was loaded from, see `load_tokenizer`.
        vocab_size: the number of logits.
        eos_token_ids: the tokens at which the server stops; empty where it does not say.
        spelled: the bytes of every token as the server's grammar library reads them. A tokenizer that spells
            one token in another way would make masks that mean other texts, so it is refused.

    Raises:
        TokenizerError: there is no such tokenizer, or it is not the server's.
    """
    tokenizer = load_tokenizer(source)
    vocabulary = tokenizer.vocabulary
    if any(token is not None for token in vocabulary.tokens[vocab_size:]):
        raise TokenizerError(
            f'the tokenizer "{tokenizer.name}" has more tokens than the model has logits ({vocab_size:,})',
            help="use the tokenizer that belongs to the model",
        )
    vocabulary = sized(tokenizer, vocab_size).vocabulary
    tokens = list(vocabulary.tokens)
    # The preferred end token stays the first one.
    ends = [end for end in vocabulary.eos_token_ids if end in eos_token_ids] if eos_token_ids else []
    ends += [end for end in eos_token_ids or vocabulary.eos_token_ids if end not in ends]
    specials = dict(vocabulary.specials)
    for end in ends:
        if not 0 <= end < vocab_size:
            raise TokenizerError(f"the end token {end} is not among the model's {vocab_size:,} logits")
        specials.setdefault(end, (tokens[end] or b"").decode("utf-8", "replace"))
        tokens[end] = None
    _require_equal(tokenizer.name, tokens, spelled)
    served = replace(vocabulary, tokens=tuple(tokens), specials=specials, eos_token_ids=tuple(ends))
    return replace(tokenizer, vocabulary=served)


def _require_equal(name: str, tokens: Sequence[bytes | None], spelled: Sequence[bytes] | None) -> None:
    if spelled is None:
        return
    for token_id, ours in enumerate(tokens):
        theirs = spelled[token_id] if token_id < len(spelled) else b""
        if ours is not None and ours != theirs:
            raise TokenizerError(
                f'the tokenizer "{name}" spells the token {token_id} as {ours!r}, and the server as {theirs!r}',
                help="serve the model with the tokenizer files of its folder",
            )
