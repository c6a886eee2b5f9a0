"""`SemanticMatcher`: tokens of which every answer is a valid document within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError, EngineError
from agentic_dsl.runtime.matcher.bitmask import check_bitmask
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE, BudgetGate, Completions, Costs, costs
from agentic_dsl.runtime.matcher.frames import Frame, Run, feed, finish, settle
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.overlay import WINDOW, Mask, Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.prose import Mixed, Prose, ProseCharacter
from agentic_dsl.runtime.matcher.recent import Recent
from agentic_dsl.runtime.matcher.texts import Text
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.runtime.matcher.explain import Explanation
    from agentic_dsl.runtime.matcher.state import Draft
    from agentic_dsl.runtime.tokenizer import Tokenizer


_NOTHING = object()
"""No array."""

_TOO_DEAR = Costs(b"", (IMPOSSIBLE,), -1)
"""Stands for the costs of what does not fit."""

# Tuples, because a union would be made anew for each token.
_PROSE = (Prose, ProseCharacter)
_LEAPING = (Text, OpenWord)

_AMPLE = 16
"""Tokens beyond a completion with which any word can go on by some character."""


class SemanticMatcher:
    """The state of one sequence; see the protocol `Matcher`. Not to be shared between threads; a `fork` may.

    The state is a list of frames, one for each token accepted: frames never change, so `rollback` and `fork` are exact.
    """

    __slots__ = (
        "_ahead",
        "_bound",
        "_bounds",
        "_budget",
        "_checked",
        "_completions",
        "_costs",
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
        self._completions: Completions = {}
        self._ahead: tuple[Frame, bytes, tuple[int, ...]] | None = None
        self._checked: object = _NOTHING
        self._budget = plan.constraints.max_output_tokens if max_output_tokens is None else max_output_tokens
        self._costs: list[Costs | None] = []
        self._bounds = self._overlay.bounds(plan)
        self._bound: tuple[Draft, int | None] | None = None
        if self._budget is not None:
            first = _first_costs(self._frames[0], self._overlay)
            if first.total > self._budget:
                raise ConstraintError(
                    f"max_output_tokens is {self._budget:,}, but the shortest answer takes {first.total:,} tokens",
                    help=f"allow at least {first.total:,}",
                )
            self._costs.append(first)

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """See `Matcher.fill_bitmask`.

        Raises:
            EngineError: the bitmask has another type, shape or memory layout, or no such row.
        """
        if bitmask is not self._checked or not 0 <= row < len(bitmask):
            check_bitmask(bitmask, row, len(self._vocabulary.tokens))
            self._checked = bitmask
        frame = self._frames[-1]
        if (
            type(frame) is Run
            and (known := self._overlay.known(frame)) is not None
            and (self._is_free(frame) or self._fits(frame))
        ):
            bitmask[row] = known
        else:
            bitmask[row] = self._mask(frame)
        return True

    def _is_free(self, frame: Frame) -> bool:
        """Whether every token that the text allows fits into what is left of the budget."""
        if self._budget is None:
            return True
        if self._bound is None or self._bound[0] is not frame.doc:
            self._bound = frame.doc, self._bounds.after_any_token(frame.doc)
        bound = self._bound[1]
        return bound is not None and bound < self._budget - len(self._frames) + 1

    def _fits(self, run: Run) -> bool:
        """Whether every token within forced text fits; what follows the text is counted once for all of its places."""
        known = self._ahead
        if known is None or known[0] is not run.after or known[1] is not run.text:
            rest = self._bounds.completion(run.after) - 1
            at = costs(self._overlay.trie.root, run.text).at
            known = self._ahead = run.after, run.text, tuple(rest + cost for cost in at)
        left = self._left
        # From here on too: at the very minimum only the policy's own token may come, though others may be as short.
        return left is None or max(known[2][run.at : run.at + 1 + WINDOW]) < left

    def _mask(self, frame: Frame) -> Mask:
        if self._terminated:
            return self._overlay.end
        if isinstance(frame, _PROSE):
            return self._overlay.prose.mask(frame, self._left)
        if isinstance(frame, Mixed):
            either: Mask = self._mask(frame.block) | self._overlay.prose.mask(frame, self._left)
            return either
        if self._budget is None or self._is_free(frame):
            return self._free_mask(frame)
        left = self._budget - len(self._frames) + 1
        if (mask := self._repeated(frame, left)) is not None:
            return mask
        gate = BudgetGate(self._overlay.trie.root, self._cost, left, self._bounds, self._completions)
        if self._bounds.completion(frame, left - _AMPLE) + _AMPLE <= left:
            mask = self._overlay.mask(frame, gate)
            if gate.highest < left and frame.repeats(frame, self._overlay.trie.longest):
                self._last = frame, mask, gate.highest
            return mask
        base = self._cost()
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
        return None if self._budget is None else self._budget - len(self._frames) + 1

    def _cost(self) -> Costs:
        """What the completion costs from here; counted when it is first needed."""
        if (known := self._costs[-1]) is None:
            near = next((c for c in reversed(self._costs) if c is not None), None)
            known = self._costs[-1] = costs(self._overlay.trie.root, finish(self._frames[-1]), near)
        return known

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
            rest = None
        elif (rest := self._rest(token_id, after)) is _TOO_DEAR:
            return False
        if self._budget is not None:
            self._costs.append(rest)
        self._frames.append(after)
        self._tokens.append(token_id)
        return True

    def _rest(self, token_id: int, after: Frame) -> Costs | None:
        """What the completion behind a token costs, None where nobody has counted; `_TOO_DEAR` beyond the budget."""
        frame, left = self._frames[-1], self._left
        if left is None or self._is_free(frame):
            return None
        if self._repeated(after, left) is not None:
            return None
        if type(frame) is Run and self._is_within(frame, after) and self._fits(frame):
            return None
        if self._bounds.completion(frame, left) >= left:
            base = self._cost()
            if base.total >= left and token_id != base.first:
                return _TOO_DEAR
        if self._bounds.completion(after, left) < left:
            return None
        rest = costs(self._overlay.trie.root, finish(after), self._cost())
        return rest if rest.total < left else _TOO_DEAR

    def _is_within(self, run: Run, after: Frame) -> bool:
        """Whether a frame is a few bytes further in forced text, or right behind it."""
        if after is run.after:
            return len(run.text) - run.at <= WINDOW
        return type(after) is Run and after.after is run.after and after.at - run.at <= WINDOW

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
                del self._costs[-n:]

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
            return explain_trace(plan, self._tokenizer, tokens, max_output_tokens=self._budget, whole=False)
        accepted = b"".join(self._vocabulary.tokens[token] or b"" for token in self._tokens)
        return explain(self.frame, what, before=accepted)

    def fork(self) -> SemanticMatcher:
        """See `Matcher.fork`."""
        other = object.__new__(SemanticMatcher)
        other._vocabulary, other._overlay, other._budget = self._vocabulary, self._overlay, self._budget
        other._tokenizer, other._tokens = self._tokenizer, list(self._tokens)
        other._bounds, other._bound, other._ahead = self._bounds, self._bound, self._ahead
        other._completions = {}
        other._last, other._recent, other._checked = self._last, Recent(), _NOTHING
        other._frames, other._costs, other._terminated = list(self._frames), list(self._costs), self._terminated
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
    return _first_costs(start(plan_of(source)), Overlay(trie_of(tokenizer.vocabulary))).total


def _first_costs(frame: Frame, overlay: Overlay) -> Costs:
    first = costs(overlay.trie.root, finish(frame))
    if first.total >= IMPOSSIBLE:
        raise ConstraintError(
            "the tokenizer has no tokens for some character that every answer needs",
            help="use a tokenizer that has a token for every byte",
        )
    return first


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
