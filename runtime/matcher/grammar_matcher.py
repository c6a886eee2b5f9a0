"""`GrammarMatcher`: the grammar alone, by xgrammar's matcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.matcher.bitmask import allow_only, check_bitmask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from agentic_dsl.runtime.vocabulary import Vocabulary


_NOTHING = object()
"""No array."""


class GrammarMatcher:
    """Enforces a compiled grammar by xgrammar's matcher; made by `CompiledGrammar.matcher`.

    Once an end token is accepted, only end tokens are allowed in bitmasks and nothing is accepted any more,
    so a finished row of a batch can stay in it.
    """

    __slots__ = ("_accepted", "_checked", "_inner", "_terminated", "_vocabulary")

    def __init__(self, inner: Any, vocabulary: Vocabulary, *, accepted: int = 0, terminated: bool = False) -> None:
        self._inner = inner
        self._vocabulary = vocabulary
        self._accepted = accepted
        self._terminated = terminated
        self._checked: object = _NOTHING

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """See `Matcher.fill_bitmask`.

        Raises:
            EngineError: the bitmask has another type, shape or memory layout, or no such row.
        """
        if bitmask is not self._checked or not 0 <= row < len(bitmask):
            check_bitmask(bitmask, row, len(self._vocabulary.tokens))
            self._checked = bitmask  # looking at it again for every token would take a fifth of the time
        if self._terminated:
            allow_only(self._vocabulary.eos_token_ids, bitmask, row)
            return True
        return bool(self._inner.fill_next_token_bitmask(bitmask, row))

    def accept(self, token_id: int) -> bool:
        """See `Matcher.accept`. Blank and unknown tokens are never allowed."""
        tokens = self._vocabulary.tokens
        if self._terminated or not 0 <= token_id < len(tokens):
            return False
        is_end = tokens[token_id] is None
        # Asked for such tokens, xgrammar would refuse them too, but with a warning on stderr.
        if is_end and token_id not in self._vocabulary.eos_token_ids:
            return False
        if not self._inner.accept_token(token_id):
            return False
        self._accepted += 1
        self._terminated = is_end
        return True

    def rollback(self, n: int) -> None:
        """See `Matcher.rollback`.

        Raises:
            EngineError: fewer tokens were accepted.
        """
        if not 0 <= n <= self._accepted:
            raise EngineError(f"{n} tokens cannot be taken back: {self._accepted} were accepted")
        if n:
            self._inner.rollback(n)
            self._accepted -= n
            self._terminated = False

    def is_terminated(self) -> bool:
        """See `Matcher.is_terminated`."""
        return self._terminated

    def jump_forward(self) -> str:
        """See `Matcher.jump_forward`. Whole characters only, and none in the middle of one."""
        if self._terminated:
            return ""
        try:
            return str(self._inner.find_jump_forward_string())
        except UnicodeDecodeError as exc:
            # What is forced ends within a character. Or it begins within one: then there is no text to give yet.
            return bytes(exc.object[: exc.start]).decode()

    def fork(self) -> GrammarMatcher:
        """See `Matcher.fork`."""
        return GrammarMatcher(
            self._inner.fork(), self._vocabulary, accepted=self._accepted, terminated=self._terminated
        )
