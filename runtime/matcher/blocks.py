"""Several blocks in one answer: where each stands, how many nodes it may have, and whether the rest can be reached.

Blocks refer to nothing of each other, so all that they share is the count of nodes, the paths, and the prefixes below
which they generate. What is left to further blocks is then a question of numbers (`can_close`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.node_table import NODE_TABLE, Fork, Join
from agentic_dsl.runtime.matcher.open_words import WORD

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.context import Env
    from agentic_dsl.runtime.matcher.frames import Frame
    from agentic_dsl.runtime.matcher.plan import Plan
    from agentic_dsl.runtime.matcher.state import Draft

FORKED = 3
"""The fewest nodes of a block that begins with a fork: itself and two branches."""


class Block(NamedTuple):
    """The block that is being written.

    Attributes:
        path: where it stands, "" while that is not written yet.
        before: the nodes of the blocks before it.
        top: the most nodes that the answer may have at its end: there it can be closed.
        left: how many blocks may follow.
        words: the last segments of the further blocks so far, its own included.
        reserved: words that none of its nodes may have as its id.
        generates: for each further block the further blocks into which it generates, whether they are there or not.
        circular: paths into which it must not generate, for they lead back to it; besides its own and those above.
        then: what follows it.
    """

    path: str
    before: int
    top: int
    left: int
    words: frozenset[str]
    reserved: frozenset[str]
    generates: Mapping[str, frozenset[str]]
    circular: frozenset[str]
    then: Callable[[Draft], Frame]

    @property
    def prefix(self) -> bytes:
        """What stands before the id in a reference to a node of the block."""
        return f"{self.path}/".encode()

    def named(self, word: str, answer: str) -> Block:
        """With its path: a word below that of the answer."""
        leading = {word}
        while more := {name for name, into in self.generates.items() if into & leading} - leading:
            leading |= more
        circular = frozenset(f"{answer}/{name}" for name in leading)
        return self._replace(path=f"{answer}/{word}", words=self.words | {word}, circular=circular)

    def generating(self, prefix: str, answer: str) -> Block:
        """With a node that generates below a path."""
        word, into = self.path.removeprefix(f"{answer}/"), prefix.removeprefix(f"{answer}/")
        if self.path == answer or into == prefix or "/" in into:
            return self  # nothing leads back to the first block, and nothing else is a further block
        return self._replace(generates={**self.generates, word: self.generates.get(word, frozenset()) | {into}})


@dataclass(frozen=True, eq=False)
class Further:
    """What all further blocks have in common: they have no signature but one of their own.

    Attributes:
        begin: the names that are there at the entry.
        required: the names that must be there at every end.
        number: how many there may be; 0 where none can be finished.
        most: the nodes that one may have.
        leads: whether the first node can lead on and end, so that any number of nodes up to ``most`` is possible.
        ends: whether the first node can be an end, so that one node is possible.
        forks: whether the first node can be a fork, so that any number from `FORKED` is possible.
    """

    begin: Env
    required: frozenset[str]
    number: int
    most: int
    leads: bool
    ends: bool
    forks: bool

    @classmethod
    def of(cls, plan: Plan, begin: Env, required: frozenset[str]) -> Further:
        """The further blocks of a plan."""
        first = [name for name in plan.types if name != Join.TYPE]
        leads = any(name != Fork.TYPE and not NODE_TABLE[name].is_end for name in first)
        holds = not begin.lacks(required)
        ends = holds and any(NODE_TABLE[name].is_end for name in first)
        forks = Fork.TYPE in first and plan.further_limit >= FORKED and (holds or plan.calls_anywhere)
        owed = [name for name in required if name not in begin and name not in plan.obtainable]
        possible = not owed or (plan.writes and all(map(plan.is_key, owed)))
        taken = {*YAML_WORDS, *plan.block_words}
        words = WORD.count(0, plan.max_word) - sum(len(word) <= plan.max_word for word in taken)
        number = min(plan.constraints.max_subgraphs - 1, words) if possible and (leads or ends or forks) else 0
        return cls(begin, required, number, plan.further_limit, leads, ends, forks)

    def can_fill(self, least: int, most: int, blocks: int) -> bool:
        """Whether at most so many blocks can have together ``least`` to ``most`` nodes (1 ≤ least ≤ most)."""
        if self.leads:
            return least <= blocks * self.most
        if self.forks:
            enough = -(-least // self.most)
            if enough <= blocks and enough * FORKED <= most:
                return True
            if self.ends:
                # Some of them begin with forks and are as large as can be, the others are ends.
                forked = max(0, -(-(least - blocks) // (self.most - 1)))
                return forked <= min(blocks, enough - 1)
            return False
        return self.ends and least <= blocks


def can_close(plan: Plan, total: int, left: int) -> bool:
    """Whether an answer of so many nodes can be complete: it has enough, or further blocks can bring the rest."""
    constraints = plan.constraints
    if total >= constraints.min_nodes:
        return True
    return left > 0 and plan.further.can_fill(constraints.min_nodes - total, constraints.max_nodes - total, left)


def highest(plan: Plan, before: int, most: int, left: int) -> int | None:
    """The most nodes of the answer at the end of a block of at most ``most``; None where it cannot be closed."""
    top = min(plan.constraints.max_nodes, before + most)
    return next((total for total in range(top, before, -1) if can_close(plan, total, left)), None)


__all__ = ["Block", "Further", "can_close", "highest"]
