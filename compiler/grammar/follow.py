"""What can follow a rule: the first characters of whatever comes after it, anywhere in a grammar.

An engine that prepares masks rule by rule cannot judge a token that runs past the end of a rule, unless it knows
what follows. Only rules with an open end need that: a word goes on for as long as its characters come, whereas a line
ends with its newline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Grammar, Literal, Ref, Repeat, Seq

_Ranges = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Characters that can come next, and whether nothing may come instead."""

    ranges: _Ranges = frozenset()
    nothing: bool = False

    def __or__(self, other: _Ahead) -> _Ahead:
        return _Ahead(self.ranges | other.ranges, self.nothing or other.nothing)

    def then(self, after: _Ahead) -> _Ahead:
        """What can come where ``after`` follows."""
        return _Ahead(self.ranges | after.ranges, after.nothing) if self.nothing else self


_NOTHING = _Ahead(nothing=True)


def followers(grammar: Grammar) -> Mapping[str, CharClass]:
    """For each rule with an open end, the characters that can come next; a rule that may end the text is left out."""
    firsts = _Firsts(grammar)
    names = set(_open_rules(grammar))
    while True:
        places = [
            (name, inner, ahead)
            for name, mentioned in grammar.mentions.items()
            if not mentioned.isdisjoint(names)
            for inner, ahead in _places(grammar.by_name[name], _NOTHING, firsts, names)
        ]
        # What follows a rule at the end of another follows that one too, even where a rule that is empty comes between.
        passed_on = [(name, inner) for name, inner, ahead in places if ahead.nothing]
        if names.issuperset(outer for outer, _ in passed_on):
            break
        names.update(outer for outer, _ in passed_on)
    found = {name: _Ahead(nothing=name == grammar.root) for name in names}
    for _, inner, ahead in places:
        found[inner] |= _Ahead(ahead.ranges)
    changed = True
    while changed:
        changed = False
        for outer, inner in passed_on:
            joined = found[inner] | found[outer]
            changed |= joined != found[inner]
            found[inner] = joined
    return {
        name: CharClass(tuple(sorted(ahead.ranges)))
        for name, ahead in sorted(found.items())
        if ahead.ranges and not ahead.nothing
    }


def _places(expr: Expr, after: _Ahead, firsts: _Firsts, names: Container[str]) -> Iterator[tuple[str, _Ahead]]:
    """Each mention of one of the rules within an expression, with what follows it where ``after`` follows the whole."""
    match expr:
        case Ref(name):
            if name in names:
                yield name, after
        case Seq(items):
            for item in reversed(items):
                yield from _places(item, after, firsts, names)
                after = firsts.of(item).then(after)
        case Alt(options):
            for option in options:
                yield from _places(option, after, firsts, names)
        case Repeat(item, _, most):
            again = _Ahead(firsts.of(item).ranges) if most != 1 else _Ahead()
            yield from _places(item, after | again, firsts, names)
        case Literal() | CharClass():
            return
        case _:
            assert_never(expr)


@dataclass(slots=True)
class _Firsts:
    """How expressions can begin; what is found of a rule is kept."""

    grammar: Grammar
    known: dict[str, _Ahead] = field(default_factory=dict)

    def of(self, expr: Expr) -> _Ahead:
        match expr:
            case Literal(text):
                return _Ahead(frozenset({(text[0], text[0])})) if text else _NOTHING
            case CharClass():
                return _Ahead(frozenset(expr.positive))
            case Seq(items):
                found = _NOTHING
                for item in items:
                    if not found.nothing:
                        break
                    found = found.then(self.of(item))
                return found
            case Alt(options):
                found = _Ahead()
                for option in options:
                    found |= self.of(option)
                return found
            case Repeat(item, least):
                return self.of(item) | (_NOTHING if least == 0 else _Ahead())
            case Ref(name):
                if name not in self.known:
                    self.known[name] = _Ahead()  # a rule that begins with itself adds nothing
                    self.known[name] = self.of(self.grammar.by_name[name])
                return self.known[name]
            case _:
                assert_never(expr)


# --- rules with an open end ------------------------------------------------------------------------------------------


def _open_rules(grammar: Grammar) -> list[str]:
    """Rules that can end in the middle of a run of characters, in the order of the grammar."""
    found: set[str] = set()
    enders: dict[str, list[str]] = defaultdict(list)
    waiting: list[str] = []
    for name, expr in grammar.rules:
        for last in _lasts(expr):
            if isinstance(last, Ref):
                enders[last.name].append(name)
            else:
                waiting.append(name)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += enders[name]
    return [name for name, _ in grammar.rules if name in found]


_ENDS = (CharClass, Ref)


def _lasts(expr: Expr) -> list[CharClass | Ref]:
    """The classes and references with which an expression can end."""
    found: list[CharClass | Ref] = []
    waiting = [expr]
    while waiting:
        top = waiting.pop()
        # As in `references`: this walks through the whole catalogue of tools.
        if isinstance(top, _ENDS):
            found.append(top)
        elif isinstance(top, Seq):
            for item in reversed(top.items):
                waiting.append(item)
                if not (isinstance(item, Repeat) and item.min == 0):
                    break
        elif isinstance(top, Alt):
            waiting += top.options
        elif isinstance(top, Repeat):
            waiting.append(top.item)
        elif not isinstance(top, Literal):
            assert_never(top)
    return found
