"""Jump-forward: text that a matcher forces becomes tokens without a forward pass for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agentic_dsl.runtime.engines.forced_text import ForcedText, common_prefix
from agentic_dsl.runtime.masks import allocate_bitmask

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher import Matcher
    from agentic_dsl.runtime.tokenizer import Tokenizer


class JumpForward:
    """Moves one sequence after the other over its forced text. One object a tokenizer; not for several threads.

    Tokens that stand already may change: the whole answer is tokenised again with the forced text, so that its
    tokens are those that the tokenizer itself would have produced.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._forced = ForcedText(tokenizer)
        self._tokenizer = tokenizer
        self._bitmask = allocate_bitmask(1, tokenizer.vocab_size)

    def jump(self, matcher: Matcher, tokens: list[int], limit: int) -> list[int] | None:
        """The tokens of the answer once the forced text stands, as far as its border is stable.

        Args:
            matcher: has accepted ``tokens``; afterwards it has accepted what is returned, or is as it was.
            tokens: the answer so far.
            limit: the most tokens of the whole answer, one for its end included.

        Returns:
            None where nothing is forced, the border is not stable, or the matcher refuses the tokens (their number,
            mostly): then the model writes on, token by token.
        """
        forced = matcher.jump_forward()
        if not forced:
            return None
        written = self._tokenizer.decode_bytes(tokens)
        text = written + forced.encode()
        ids = self._forced.encode(text)
        if ids is None:
            return None
        kept = common_prefix(tokens, ids)
        if not _replace(matcher, tokens, ids, kept):
            return None
        following = self._bitmask[0].view(np.uint32) if matcher.fill_bitmask(self._bitmask, 0) else None
        done = self._forced.stable(text, ids, len(written), following)
        gained = len(self._tokenizer.decode_bytes(done)) > len(written) and len(done) < limit
        if gained and _replace(matcher, ids, done, common_prefix(ids, done)):
            return done
        if not _replace(matcher, ids, tokens, kept):
            raise AssertionError("tokens that were accepted are accepted again")
        return None


def _replace(matcher: Matcher, old: list[int], new: list[int], kept: int) -> bool:
    """Takes old tokens back and accepts new ones, behind those that both begin with; all of them or no change."""
    matcher.rollback(len(old) - kept)
    for accepted, token_id in enumerate(new[kept:]):
        if not matcher.accept(token_id):
            matcher.rollback(accepted)
            if not all(matcher.accept(token_id) for token_id in old[kept:]):
                raise AssertionError("tokens that were accepted are accepted again")
            return False
    return True
