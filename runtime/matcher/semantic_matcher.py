"""`SemanticMatcher`: tokens of which every answer is a valid document within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.matcher.bitmask import check_bitmask
from agentic_dsl.runtime.matcher.budget import Budget, first_costs
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE
from agentic_dsl.runtime.matcher.frames import Frame, Run, feed, finish, settle
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.overlay import Mask, Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.prose import Mixed, Prose, ProseCharacter
from agentic_dsl.runtime.matcher.recent import Recent
from agentic_dsl.runtime.matcher.texts import Text
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.runtime.matcher.explain import Explanation
    from agentic_dsl.runtime.tokenizer import Tokenizer


_NOTHING = object()
"""No array."""

# Tuples, because a union would be made anew for each token.
_PROSE = (Prose, ProseCharacter)
_LEAPING = (Text, OpenWord)


class SemanticMatcher:
    """The state of one sequence; see the protocol `Matcher`. Not to be shared between threads; a `fork` may.

    The state is a list of frames, one for each token accepted: frames never change, so `rollback` and `fork` are exact.
    """

    __slots__ = (
        "_budget",
        "_checked",
        "_frames",
        "_last",
        "_overlay",
        "_recent",
        "_terminated",
        "_tokenizer",
        "_tokens",
        "_vocabulary",
    )

    def __init__(
        self,
        source: CompiledSpec | Constraints | Plan,
        tokenizer: Tokenizer,
        *,
        max_output_tokens: int | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        """Begins a sequence.

        Args:
            source: what the answer must be.
            tokenizer: the model's.
            max_output_tokens: the most tokens, end token included; None takes `Constraints.max_output_tokens`.
            overlay: tables shared by the matchers of a tokenizer, so that they are made once.

        Raises:
            ConstraintError: no document satisfies the constraints, none fits into the budget (the message says how
                many tokens are needed), or the tokenizer cannot spell one.
        """
        plan = plan_of(source)
        self._tokenizer, self._vocabulary = tokenizer, tokenizer.vocabulary
        self._tokens: list[int] = []
        self._overlay = overlay if overlay is not None else Overlay(trie_of(tokenizer.vocabulary))
        self._frames: list[Frame] = [settle(start(plan))]
        self._terminated = False
        self._last: tuple[Frame, Mask, int] | None = None
        self._recent = Recent()
        self._checked: object = _NOTHING
        limit = plan.constraints.max_output_tokens if max_output_tokens is None else max_output_tokens
        self._budget: Budget | None = None
        if limit is not None:
            self._budget = Budget(limit, self._frames[0], self._overlay.trie.root, self._overlay.bounds(plan))

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """See `Matcher.fill_bitmask`.

        Raises:
            EngineError: the bitmask has another type, shape or memory layout, or no such row.
        """
        if bitmask is not self._checked or not 0 <= row < len(bitmask):
            check_bitmask(bitmask, row, len(self._vocabulary.tokens))
            self._checked = bitmask
        frame = self._frames[-1]
        if type(frame) is Run and (known := self._overlay.known(frame)) is not None and self._fits(frame):
            bitmask[row] = known
        else:
            bitmask[row] = self._mask(frame)
        return True

    def _fits(self, run: Run) -> bool:
        """Whether every token within forced text fits into what is left of the budget."""
        return self._budget is None or self._budget.is_free(run) or self._budget.fits(run)

    def _mask(self, frame: Frame) -> Mask:
        if self._terminated:
            return self._overlay.end
        if isinstance(frame, _PROSE):
            return self._overlay.prose.mask(frame, self._left)
        if isinstance(frame, Mixed):
            either: Mask = self._mask(frame.block) | self._overlay.prose.mask(frame, self._left)
            return either
        budget = self._budget
        if budget is None or budget.is_free(frame):
            return self._free_mask(frame)
        left = budget.left
        if (mask := self._repeated(frame, left)) is not None:
            return mask
        gate = budget.gate(frame)
        if budget.is_ample(frame):
            mask = self._overlay.mask(frame, gate)
            if gate.highest < left and frame.repeats(frame, self._overlay.trie.longest):
                self._last = frame, mask, gate.highest
            return mask
        base = budget.cost(frame)
        if base.total >= left:
            mask = self._overlay.end.copy() if frame.is_final else np.zeros_like(self._overlay.end)
        else:
            mask = self._overlay.mask(frame, gate)
        if base.first >= 0:  # the policy's own token, where the gate is too careful to see it
            bits = mask.view(np.uint32)
            bits[base.first >> 5] |= np.uint32(1 << (base.first & 31))
        return mask

    @property
    def _left(self) -> int | None:
        """The tokens that are left, the next one included; None without a budget."""
        return None if self._budget is None else self._budget.left

    def _free_mask(self, frame: Frame) -> Mask:
        """The mask without a budget."""
        if (known := self._repeated(frame)) is not None:
            return known
        mask = self._overlay.mask(frame, recent=self._recent)
        if frame.repeats(frame, self._overlay.trie.longest):
            self._last = frame, mask, IMPOSSIBLE
        return mask

    def _repeated(self, frame: Frame, left: int | None = None) -> Mask | None:
        """The last mask, in the middle of a text where it still holds.

        With a budget it does where all that it allows fits into what is ``left``, and the text ends as it did there.
        """
        if self._last is None or not frame.repeats(self._last[0], self._overlay.trie.longest):
            return None
        there, mask, highest = self._last
        return mask if left is None or (highest < left and _end_alike(frame, there)) else None

    def accept(self, token_id: int) -> bool:
        """See `Matcher.accept`. Blank and unknown tokens are never allowed."""
        tokens = self._vocabulary.tokens
        if self._terminated or not 0 <= token_id < len(tokens):
            return False
        frame = self._frames[-1]
        token = tokens[token_id]
        if token is None:
            if token_id not in self._vocabulary.eos_token_ids or not frame.is_final:
                return False
            self._terminated = True
            return True
        after = _after(frame, token) if token else None
        if after is None:
            return False
        if isinstance(after, _PROSE):
            if not self._overlay.prose.fits(after, self._left):
                return False
            if self._budget is not None:
                self._budget.spend_free()
        elif self._budget is not None:
            if self._budget.is_free(frame) or self._repeated(after, self._budget.left) is not None:
                self._budget.spend_free()
            elif not self._budget.spend(frame, token_id, after):
                return False
        self._frames.append(after)
        self._tokens.append(token_id)
        return True

    def rollback(self, n: int) -> None:
        """See `Matcher.rollback`.

        Raises:
            EngineError: fewer tokens were accepted.
        """
        accepted = len(self._frames) - 1 + self._terminated
        if not 0 <= n <= accepted:
            raise EngineError(f"{n} tokens cannot be taken back: {accepted} were accepted")
        if n and self._terminated:
            self._terminated = False
            n -= 1
        if n:
            del self._frames[-n:]
            del self._tokens[-n:]
            if self._budget is not None:
                self._budget.give_back(n)

    def is_terminated(self) -> bool:
        """See `Matcher.is_terminated`."""
        return self._terminated

    def jump_forward(self) -> str:
        """See `Matcher.jump_forward`; only whole characters."""
        frame = self._frames[-1]
        if self._terminated or not isinstance(frame, Run):
            return ""
        return frame.text[frame.at :].decode("utf-8", "ignore")

    def completion(self) -> str:
        """The text that the completion policy would write from here; in the middle of a character, what follows it."""
        return finish(self._frames[-1]).decode("utf-8", "ignore")

    def explain(self, what: int | str | bytes) -> Explanation | None:
        """Why a token, or a text, may not come next: what is expected there, and what forbids it.

        Args:
            what: the id of a token, or a text.

        Returns:
            The explanation, with the nearest legal words; None where it may come.

        Raises:
            UsageError: the tokenizer has no such token.
        """
        from agentic_dsl.runtime.matcher.explain import explain
        from agentic_dsl.runtime.matcher.explain_trace import explain_trace

        if isinstance(what, int):
            plan, tokens = self._frames[0].doc.plan, [*self._tokens, what]
            limit = None if self._budget is None else self._budget.limit
            return explain_trace(plan, self._tokenizer, tokens, max_output_tokens=limit, whole=False)
        accepted = b"".join(self._vocabulary.tokens[token] or b"" for token in self._tokens)
        return explain(self.frame, what, before=accepted)

    def fork(self) -> SemanticMatcher:
        """See `Matcher.fork`."""
        other = object.__new__(SemanticMatcher)
        other._tokenizer, other._vocabulary, other._overlay = self._tokenizer, self._vocabulary, self._overlay
        other._tokens, other._frames, other._terminated = list(self._tokens), list(self._frames), self._terminated
        other._last, other._recent, other._checked = self._last, Recent(), _NOTHING
        other._budget = None if self._budget is None else self._budget.fork()
        return other

    @property
    def frame(self) -> Frame:
        """What the tracker knows at this point."""
        return self._frames[-1]


def _end_alike(one: Frame, other: Frame) -> bool:
    """Whether the policy completes two frames by the same text, and goes on alike."""
    first, second = one.ending(), other.ending()
    return first is not None and second is not None and first[:2] == second[:2]


def plan_of(source: CompiledSpec | Constraints | Plan) -> Plan:
    """The plan of what an answer must be."""
    if isinstance(source, Plan):
        return source
    return Plan.of(source if isinstance(source, Constraints) else source.constraints)


def minimum_tokens(source: CompiledSpec | Constraints | Plan, tokenizer: Tokenizer) -> int:
    """The fewest tokens, end token included, within which the matcher can complete an answer.

    Raises:
        ConstraintError: no document satisfies the constraints, or the tokenizer cannot spell one.
    """
    return first_costs(start(plan_of(source)), trie_of(tokenizer.vocabulary).root).total


def _after(frame: Frame, token: bytes) -> Frame | None:
    """The frame after a token; along forced text no frame is asked."""
    if type(frame) is Run:
        text, at = frame.text, frame.at
        end = at + len(token)
        if end <= len(text):
            return frame.moved(end) if text.startswith(token, at) else None
        if not token.startswith(text[at:]):
            return None
        frame, token = frame.after, token[len(text) - at :]
    elif type(frame) is Prose and token.isascii():
        return frame
    elif isinstance(frame, _LEAPING) and (leapt := frame.leap(token)) is not None:
        return leapt
    after = feed(frame, token)
    return None if after is None else settle(after)


__all__ = ["SemanticMatcher", "minimum_tokens", "plan_of"]
