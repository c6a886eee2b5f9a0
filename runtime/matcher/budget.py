"""`Budget`: what a sequence has left of its token limit, and what the completion costs after each of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE, BudgetGate, Completions, Costs, costs
from agentic_dsl.runtime.matcher.frames import Frame, Run, finish
from agentic_dsl.runtime.matcher.overlay import WINDOW

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.bounds import Bounds
    from agentic_dsl.runtime.matcher.state import Draft
    from agentic_dsl.runtime.matcher.vocabulary_trie import Node

_AMPLE = 16
"""Tokens beyond a completion with which any word can go on by some character."""


class Budget:
    """The token limit of one sequence, owned by its matcher; every frame that is asked about is the sequence's last.

    Exact costs are counted only where no bound answers, each from the one before it.

    Attributes:
        limit: the most tokens, end token included.
    """

    __slots__ = ("_ahead", "_bound", "_bounds", "_completions", "_costs", "_root", "limit")

    def __init__(self, limit: int, frame: Frame, root: Node, bounds: Bounds) -> None:
        """Begins a sequence.

        Args:
            limit: the most tokens.
            frame: the sequence's first.
            root: of the vocabulary's tree.
            bounds: of the plan.

        Raises:
            ConstraintError: no answer fits; the message says how many tokens are needed.
        """
        first = first_costs(frame, root)
        if first.total > limit:
            raise ConstraintError(
                f"max_output_tokens is {limit:,}, but the shortest answer takes {first.total:,} tokens",
                help=f"allow at least {first.total:,}",
            )
        self.limit = limit
        self._root, self._bounds = root, bounds
        self._costs: list[Costs | None] = [first]
        self._completions: Completions = {}
        self._bound: tuple[Draft, int | None] | None = None
        self._ahead: tuple[Frame, bytes, tuple[int, ...]] | None = None

    @property
    def left(self) -> int:
        """The tokens that are left, the next one included."""
        return self.limit - len(self._costs) + 1

    def is_free(self, frame: Frame) -> bool:
        """Whether every token that the text allows fits."""
        if self._bound is None or self._bound[0] is not frame.doc:
            self._bound = frame.doc, self._bounds.after_any_token(frame.doc)
        bound = self._bound[1]
        return bound is not None and bound < self.left

    def fits(self, run: Run) -> bool:
        """Whether every token within forced text fits; what follows the text is counted once for all of its places."""
        known = self._ahead
        if known is None or known[0] is not run.after or known[1] is not run.text:
            rest = self._bounds.completion(run.after) - 1
            at = costs(self._root, run.text).at
            known = self._ahead = run.after, run.text, tuple(rest + cost for cost in at)
        # From here on too: at the very minimum only the policy's own token may come, though others may be as short.
        return max(known[2][run.at : run.at + 1 + WINDOW]) < self.left

    def is_ample(self, frame: Frame) -> bool:
        """Whether so much is left that any word can go on by some character."""
        return self._bounds.completion(frame, self.left - _AMPLE) + _AMPLE <= self.left

    def gate(self, frame: Frame) -> BudgetGate:
        """What judges the next tokens one by one."""
        return BudgetGate(self._root, lambda: self.cost(frame), self.left, self._bounds, self._completions)

    def cost(self, frame: Frame) -> Costs:
        """What the completion costs; counted when it is first needed."""
        if (known := self._costs[-1]) is None:
            near = next((c for c in reversed(self._costs) if c is not None), None)
            known = self._costs[-1] = costs(self._root, finish(frame), near)
        return known

    def spend(self, frame: Frame, token_id: int, after: Frame) -> bool:
        """Takes a token that leads from one frame to another; False, and nothing is taken, where it does not fit.

        Right where nothing is known; `spend_free` is cheaper where something is.
        """
        rest: Costs | None = None
        if not (type(frame) is Run and _is_within(frame, after) and self.fits(frame)):
            left = self.left
            if self._bounds.completion(frame, left) >= left:
                base = self.cost(frame)
                if base.total >= left and token_id != base.first:
                    return False
            if self._bounds.completion(after, left) >= left:
                rest = costs(self._root, finish(after), self.cost(frame))
                if rest.total >= left:
                    return False
        self._costs.append(rest)
        return True

    def spend_free(self) -> None:
        """Takes a token that is known to fit."""
        self._costs.append(None)

    def give_back(self, n: int) -> None:
        """Takes back the last ``n`` tokens, at least one."""
        del self._costs[-n:]

    def fork(self) -> Budget:
        """The same state, of a sequence that goes on by itself."""
        other = object.__new__(Budget)
        other.limit, other._root, other._bounds = self.limit, self._root, self._bounds
        other._bound, other._ahead = self._bound, self._ahead
        other._costs, other._completions = list(self._costs), {}
        return other


def first_costs(frame: Frame, root: Node) -> Costs:
    """The costs of the shortest answer, from the first frame of a sequence.

    Raises:
        ConstraintError: the tokenizer cannot spell it.
    """
    first = costs(root, finish(frame))
    if first.total >= IMPOSSIBLE:
        raise ConstraintError(
            "the tokenizer has no tokens for some character that every answer needs",
            help="use a tokenizer that has a token for every byte",
        )
    return first


def _is_within(run: Run, after: Frame) -> bool:
    """Whether a frame is a few bytes further in forced text, or right behind it."""
    if after is run.after:
        return len(run.text) - run.at <= WINDOW
    return type(after) is Run and after.after is run.after and after.at - run.at <= WINDOW
