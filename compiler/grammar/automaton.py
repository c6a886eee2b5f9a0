"""An automaton that reads the IR itself, built as far as texts ask for it.

The checker holds texts and values to the very rules that the grammar is emitted from, so "generated form" is
defined once. Lines of generated text are regular: their rules need themselves only at their end, so the stacks
below stay short and the states few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from agentic_dsl.compiler.grammar.ir import EMPTY, Alt, CharClass, Expr, Literal, Ref, Repeat, Seq

Stack = tuple[Expr, "Stack"] | None
"""What is still to be read, first thing on top; None is the end."""

State = frozenset[Stack]

_MOST_STEPS = 100_000
"""How many steps are remembered, so that a text of every character there is takes no more memory than any other."""


class Automaton:
    """Recognises the texts of one expression. Steps are remembered, so a text costs a look-up a character."""

    def __init__(self, expr: Expr, rules: Mapping[str, Expr]) -> None:
        self._rules = rules
        self._steps: dict[tuple[int, str], int] = {}
        self._numbers: dict[State, int] = {}
        self._states: list[State] = []
        self._start = self._number([(expr, None)])

    def accepts(self, text: str) -> bool:
        """Whether the whole text is one of the expression's."""
        state = self._start
        for char in text:
            key = (state, char)
            following = self._steps.get(key)
            if following is None:
                if len(self._steps) >= _MOST_STEPS:
                    self._steps.clear()
                following = self._steps[key] = self._number(self._after(state, char))
            state = following
        return None in self._states[state]

    def _number(self, stacks: Iterable[Stack]) -> int:
        """The number of the state that holds these stacks, each unfolded until a character is on top."""
        unfolded: dict[Stack, None] = {}
        waiting = list(stacks)
        while waiting:
            stack = waiting.pop()
            if stack in unfolded:
                continue
            unfolded[stack] = None
            if stack is not None:
                waiting += self._unfold(*stack)
        state = frozenset(stack for stack in unfolded if stack is None or _reads_a_character(stack[0]))
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number

    def _unfold(self, top: Expr, rest: Stack) -> list[Stack]:
        """The stacks that a stack stands for, one step closer to characters; none where it has come to one."""
        match top:
            case Literal(text):
                return [] if text else [rest]
            case CharClass():
                return []
            case Seq(items):
                for item in reversed(items):
                    rest = (item, rest)
                return [rest]
            case Alt(options):
                return [(option, rest) for option in options]
            case Repeat(item, least, most):
                if most == 0:
                    return [rest]
                once_more: Stack = (item, (Repeat(item, max(least - 1, 0), None if most is None else most - 1), rest))
                return [once_more] if least else [once_more, rest]
            case Ref(name):
                return [(self._rules[name], rest)]
            case _:
                assert_never(top)

    def _after(self, state: int, char: str) -> list[Stack]:
        """What is left of a state's stacks after a character."""
        left: list[Stack] = []
        for stack in self._states[state]:
            match stack:
                case (Literal(text), rest) if text[0] == char:
                    left.append((Literal(text[1:]) if len(text) > 1 else EMPTY, rest))
                case (CharClass() as chars, rest) if char in chars:
                    left.append(rest)
        return left


def _reads_a_character(expr: Expr) -> bool:
    return isinstance(expr, CharClass) or (isinstance(expr, Literal) and expr != EMPTY)
