"""The grammar as data: six kinds of expression, named rules, and the questions one asks about them.

Everything is frozen. Expressions are built with the smart constructors (`lit`, `chars`, `seq`, `alt`, `optional`,
`many`, `some`, `repeat`), which flatten and simplify, so that equal languages tend to be equal values and the
emitted text is the same for the same constraints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import assert_never


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly this text; the empty text matches the empty string."""

    text: str


@dataclass(frozen=True, slots=True)
class CharClass:
    """One character within (or, negated, outside of) inclusive ranges."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def __contains__(self, char: str) -> bool:
        return any(low <= char <= high for low, high in self.ranges) is not self.negated

    @property
    def positive(self) -> tuple[tuple[str, str], ...]:
        """The inclusive ranges of what it takes, in order, negated or not."""
        return tuple(_between(self.ranges)) if self.negated else self.ranges


def _between(ranges: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """The ranges before, between and after ranges."""
    start = 0
    for low, high in sorted(ranges):
        if start < ord(low):
            yield chr(start), chr(ord(low) - 1)
        start = max(start, ord(high) + 1)
    if start <= sys.maxunicode:
        yield chr(start), chr(sys.maxunicode)


@dataclass(frozen=True, slots=True)
class Seq:
    """All of the items, in order."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of the options."""

    options: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The item, ``min`` to ``max`` times; ``max`` None is without limit."""

    item: Expr
    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """What the named rule matches."""

    name: str


Expr = Literal | CharClass | Seq | Alt | Repeat | Ref
"""The closed union of expressions."""

EMPTY = Literal("")


# --- smart constructors ----------------------------------------------------------------------------------------------


def lit(text: str) -> Literal:
    """The text itself."""
    return Literal(text)


def chars(pattern: str, *, negated: bool = False) -> CharClass:
    """A class written as in a regular expression: ``chars("a-z0-9_")``. A hyphen at either end is a hyphen."""
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        if at + 2 < len(pattern) and pattern[at + 1] == "-":
            ranges.append((pattern[at], pattern[at + 2]))
            at += 3
        else:
            ranges.append((pattern[at], pattern[at]))
            at += 1
    return CharClass(tuple(sorted(ranges)), negated)


def seq(*items: Expr | str) -> Expr:
    """The items in order; nested sequences are flattened, neighbouring literals joined."""
    flat: list[Expr] = []
    for item in items:
        expr = Literal(item) if isinstance(item, str) else item
        for part in expr.items if isinstance(expr, Seq) else (expr,):
            if not isinstance(part, Literal):
                flat.append(part)
            elif flat and isinstance(last := flat[-1], Literal):
                flat[-1] = Literal(last.text + part.text)
            elif part.text:
                flat.append(part)
    if not flat:
        return EMPTY
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def alt(*options: Expr | str) -> Expr:
    """One of the options; nested alternatives are flattened, equal ones dropped. There must be at least one."""
    flat: dict[Expr, None] = {}
    for option in options:
        expr = Literal(option) if isinstance(option, str) else option
        flat.update(dict.fromkeys(expr.options if isinstance(expr, Alt) else (expr,)))
    if not flat:
        raise ValueError("an alternative of nothing matches nothing")
    return next(iter(flat)) if len(flat) == 1 else Alt(tuple(flat))


def repeat(item: Expr | str, least: int = 0, most: int | None = None) -> Expr:
    """The item, ``least`` to ``most`` times."""
    expr = Literal(item) if isinstance(item, str) else item
    if most is not None and not 0 <= least <= most:
        raise ValueError(f"no count lies between {least} and {most}")
    if most == 0 or expr == EMPTY:
        return EMPTY
    return expr if least == most == 1 else Repeat(expr, least, most)


def optional(*items: Expr | str) -> Expr:
    """The sequence of the items, or nothing."""
    return repeat(seq(*items), 0, 1)


def many(*items: Expr | str) -> Expr:
    """The sequence of the items, any number of times."""
    return repeat(seq(*items))


def some(*items: Expr | str) -> Expr:
    """The sequence of the items, once or more."""
    return repeat(seq(*items), 1)


def spread(*items: Expr | str) -> Expr:
    """The items in order, as one flat choice between sequences: alternatives and options inside are multiplied out.

    Engines that build one automaton per rule (xgrammar) turn a choice *inside* a sequence into a rule of its own, and
    tokens that run past the end of a rule cannot be judged ahead of time. Flat rules avoid that.
    """
    ways: list[tuple[Expr | str, ...]] = [()]
    for item in items:
        expr = Literal(item) if isinstance(item, str) else item
        match expr:
            case Alt(options):
                parts = list(options)
            case Repeat(inner, 0, 1):
                parts = [EMPTY, *(inner.options if isinstance(inner, Alt) else (inner,))]
            case _:
                parts = [expr]
        ways = [(*way, part) for way in ways for part in parts]
    return alt(*(seq(*way) for way in ways))


def separated(item: Expr, separator: str, least: int = 1) -> Expr:
    """``least`` or more items with a separator between them."""
    if least < 1:
        raise ValueError("a separated list has at least one item")
    return seq(item, *[part for _ in range(least - 1) for part in (separator, item)], many(separator, item))


# --- grammars --------------------------------------------------------------------------------------------------------


class Fault(Enum):
    """What can be wrong with a rule. Engines compile all of these silently."""

    UNDEFINED = "undefined"
    UNUSED = "unused"
    UNPRODUCTIVE = "unproductive"
    DOUBLE = "double"


@dataclass(frozen=True, slots=True)
class GrammarFault:
    """One finding of `Grammar.validate`."""

    fault: Fault
    rule: str

    def __str__(self) -> str:
        return f'the rule "{self.rule}" is {self.fault.value}'


@dataclass(frozen=True)
class Grammar:
    """Named rules and the one to start from."""

    rules: tuple[tuple[str, Expr], ...]
    root: str

    @classmethod
    def reachable(cls, rules: Mapping[str, Expr], root: str) -> Grammar:
        """The rules that ``root`` needs, in the order in which a reader meets them."""
        needed: dict[str, Expr] = {}
        mentions: dict[str, frozenset[str]] = {}
        waiting = [root]
        while waiting:
            name = waiting.pop()
            if name not in needed and name in rules:
                needed[name] = rules[name]
                found = references(rules[name])
                mentions[name] = frozenset(found)
                waiting += reversed(found)
        grammar = cls(tuple(needed.items()), root)
        vars(grammar)["mentions"] = mentions  # what the cached property would walk the rules for once more
        return grammar

    @cached_property
    def by_name(self) -> Mapping[str, Expr]:
        """Rule name → expression."""
        return dict(self.rules)

    @cached_property
    def mentions(self) -> Mapping[str, frozenset[str]]:
        """Rule name → names of the rules that it mentions."""
        return {name: frozenset(references(expr)) for name, expr in self.rules}

    def validate(self) -> tuple[GrammarFault, ...]:
        """Rules that are undefined, unused, defined twice, or cannot produce any finite string."""
        faults: list[GrammarFault] = []
        names = [name for name, _ in self.rules]
        if len(set(names)) < len(names):
            faults += [GrammarFault(Fault.DOUBLE, name) for name in dict.fromkeys(names) if names.count(name) > 1]
        used = {self.root}
        waiting = [self.root]
        while waiting:
            new = self.mentions.get(waiting.pop(), frozenset()) - used
            used |= new
            waiting += new
        faults += [GrammarFault(Fault.UNDEFINED, name) for name in sorted(used - set(names))]
        faults += [GrammarFault(Fault.UNUSED, name) for name in dict.fromkeys(names) if name not in used]
        productive = self._productive()
        faults += [GrammarFault(Fault.UNPRODUCTIVE, n) for n in dict.fromkeys(names) if n not in productive]
        return tuple(faults)

    def _productive(self) -> set[str]:
        """Names of the rules that can produce a finite string: the least fixed point."""
        productive: set[str] = set()
        waiting = dict(self.rules)
        while True:
            found = [name for name, expr in waiting.items() if _produces(expr, productive)]
            if not found:
                return productive
            productive.update(found)
            for name in found:
                del waiting[name]


_LEAVES = (Literal, CharClass)


def references(expr: Expr) -> list[str]:
    """Names of the rules that an expression mentions, in order."""
    found: list[str] = []
    waiting = [expr]
    while waiting:
        top = waiting.pop()
        # Neither `match` nor recursion here: a catalogue of tools has tens of thousands of expressions.
        if isinstance(top, Ref):
            found.append(top.name)
        elif isinstance(top, Seq):
            waiting += reversed(top.items)
        elif isinstance(top, Alt):
            waiting += reversed(top.options)
        elif isinstance(top, Repeat):
            waiting.append(top.item)
        elif not isinstance(top, _LEAVES):
            assert_never(top)
    return found


def _produces(expr: Expr, productive: set[str]) -> bool:
    match expr:
        case Ref(name):
            return name in productive
        case Seq(items):
            return all(_produces(item, productive) for item in items)
        case Alt(options):
            return any(_produces(option, productive) for option in options)
        case Repeat(item, least):
            return least == 0 or _produces(item, productive)
        case Literal():
            return True
        case CharClass(ranges, negated):
            return negated or bool(ranges)
        case _:
            assert_never(expr)
