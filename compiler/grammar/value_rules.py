"""Values: the shape that a value may have, and the line that ends with one.

A `Shape` is a set of values that a line can hold: some literals and some whole kinds. Shapes are closed under union
and intersection, which is all that JSON Schema's combinators need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentic_dsl.compiler.grammar.ir import Expr, Ref, alt, lit, seq, spread
from agentic_dsl.compiler.grammar.printing import print_value
from agentic_dsl.compiler.grammar.text_rules import TEMPLATE, TEMPLATE_LINE, text_rules
from agentic_dsl.compiler.grammar.words import INTEGER, INTEGER_LINE, NUMBER, NUMBER_LINE

SCALAR_KINDS = ("string", "number", "integer", "boolean", "null")
"""JSON types that stand on one line."""

KINDS = (*SCALAR_KINDS, "array", "object")

Json = Any
"""A JSON value: null, boolean, number, string, list or mapping."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A set of values: the literals, and every value of the kinds.

    Attributes:
        kinds: names of `KINDS`; ``integer`` is never beside ``number``, which includes it.
        literals: further values, none of them within `kinds`.
        items: what the items of lists may be, scalars only; None where lists are not allowed.
    """

    kinds: frozenset[str] = frozenset()
    literals: tuple[Json, ...] = ()
    items: Shape | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no value has the shape."""
        return not self.kinds and not self.literals

    def holds(self, value: Json) -> bool:
        """Whether a value has the shape, as far as its kind shows it. As in JSON Schema, ``1.0`` is an integer."""
        kind = kind_of(value)
        return (
            kind in self.kinds
            or (kind == "integer" and "number" in self.kinds)
            or any(_same(value, known) for known in self.literals)
        )

    def __or__(self, other: Shape) -> Shape:
        items = self.items | other.items if self.items and other.items else self.items or other.items
        return shape(self.kinds | other.kinds, (*self.literals, *other.literals), items)

    def __and__(self, other: Shape) -> Shape:
        kinds = self.kinds & other.kinds
        if {"number", "integer"} <= self.kinds | other.kinds and "number" not in kinds:
            kinds |= {"integer"}
        literals = [v for v in self.literals if other.holds(v)] + [v for v in other.literals if self.holds(v)]
        items = self.items & other.items if self.items and other.items else None
        return shape(kinds, literals, items)


def shape(kinds: Iterable[str], literals: Iterable[Json] = (), items: Shape | None = None) -> Shape:
    """The shape of these kinds and literals, without what says something twice."""
    wanted = frozenset(kinds)
    if "number" in wanted:
        wanted -= {"integer"}
    plain = Shape(wanted)
    kept: list[Json] = []
    for value in map(_frozen, literals):
        if not plain.holds(value) and not any(_same(value, known) for known in kept):
            kept.append(value)
    return Shape(wanted, tuple(kept), items if "array" in wanted else None)


def _frozen(value: Json) -> Json:
    """A hashable form of a literal: lists become tuples, a mapping the tuple of its pairs under a marker."""
    match value:
        case list() | tuple():
            return tuple(map(_frozen, value))
        case Mapping():
            return _FrozenMapping((key, _frozen(item)) for key, item in value.items())
        case _:
            return value


class _FrozenMapping(tuple[tuple[str, Json], ...]):
    """A mapping among literals; only its being one is ever asked for."""

    __slots__ = ()


def kind_of(value: Json) -> str:
    """The JSON type of a value; a float without a fraction is an integer."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case _FrozenMapping() | Mapping():
            return "object"
        case _:
            return "array"


def is_writable(value: Json) -> bool:
    """Whether a literal can stand on a line: a scalar or a list of scalars, and no text that opens a template."""
    match value:
        case str():
            return not any(mark in value for mark in ("{{", "{%", "{#"))
        case _FrozenMapping() | Mapping():
            return False
        case list() | tuple():
            return all(not isinstance(item, Mapping | list | tuple) and is_writable(item) for item in value)
        case _:
            return True


def _same(left: Json, right: Json) -> bool:
    return kind_of(left) == kind_of(right) and bool(left == right)


ANY_SCALAR = shape(SCALAR_KINDS)
ANY = shape(KINDS, items=ANY_SCALAR)

# --- lines -----------------------------------------------------------------------------------------------------------

Rules = Mapping[str, Expr]


@lru_cache(maxsize=1024)
def value_line(wanted: Shape, *, templates: bool = True) -> tuple[Expr, Rules]:
    """The rest of a line after ``key: `` that holds a value of a shape, and the rules that it needs.

    Kinds become rules named by the kinds, and so the same in every request; literals stand in the line.

    Args:
        wanted: the shape.
        templates: whether one whole template may stand for the value.
    """
    literals = [lit(f"{print_value(value)}\n") for value in wanted.literals if is_writable(value)]
    if not wanted.kinds - {"object"}:
        return alt(*literals, *([TEMPLATE_LINE] if templates else [])), {}
    name = _rule_name("value" if templates else "constant", wanted)
    rules: dict[str, Expr] = {}
    ways = _scalar_ways(wanted, Ref("text"), "\n", templates)
    if wanted.items is not None:
        rules |= list_rules(f"{name}_item", wanted.items, templates)
        ways += ["[]\n", seq("[", Ref(f"{name}_item"))]
    rules[name] = alt(*ways)
    return alt(*literals, Ref(name)), rules


def list_rules(name: str, item: Shape, templates: bool) -> dict[str, Expr]:
    """Rules for the items of a list, from the first one to the newline."""
    more = f"{name}_more"
    rules: dict[str, Expr] = {more: alt("]\n", seq(", ", Ref(name)))}
    literals = [seq(print_value(value), Ref(more)) for value in item.literals if is_writable(value)]
    rules[name] = alt(*literals, *_scalar_ways(item, Ref(f"{name}_text"), Ref(more), templates))
    if "string" in item.kinds:
        rules |= text_rules(f"{name}_text", seq('"', Ref(more)))
    return rules


def _rule_name(prefix: str, wanted: Shape) -> str:
    words = sorted(wanted.kinds - {"array", "object"})
    if wanted.items is not None:
        words += ["list", "of", *sorted(wanted.items.kinds - {"array", "object"})]
        if wanted.items.literals:
            printed = "\n".join(map(print_value, filter(is_writable, wanted.items.literals)))
            words.append(hashlib.sha256(printed.encode()).hexdigest()[:12])
    return "_".join([prefix, *words])


def _scalar_ways(wanted: Shape, text: Ref, end: Expr | str, templates: bool) -> list[Expr | str]:
    """Every way to write a scalar of the kinds of a shape, each followed by ``end``; ``text`` brings its own end."""
    ways: list[Expr | str] = []
    if "string" in wanted.kinds:
        ways.append(seq('"', text))
    elif templates:
        ways.append(seq('"', TEMPLATE, '"', end))
    if "number" in wanted.kinds:
        ways.append(NUMBER_LINE if end == "\n" else spread(NUMBER, end))
    elif "integer" in wanted.kinds:
        ways.append(INTEGER_LINE if end == "\n" else spread(INTEGER, end))
    if "boolean" in wanted.kinds:
        ways += [seq("true", end), seq("false", end)]
    if "null" in wanted.kinds:
        ways.append(seq("null", end))
    return ways
