"""Rules without recursion mean what they meant, and shapes of lines are told right."""

from __future__ import annotations

from random import Random

import pytest

from agentic_dsl.compiler.grammar.automaton import Automaton
from agentic_dsl.compiler.grammar.ir import Expr, Grammar, Ref, alt, chars, lit, many, optional, repeat, seq, some
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.regular import (
    BROKEN,
    EMPTY_STRING,
    INLINE,
    LINE,
    LINES,
    line_shapes,
    shape_of,
    without_recursion,
)
from agentic_dsl.compiler.grammar.sample import sample
from agentic_dsl.constraints import Constraints, LibrarySpec
from tests.strategies.grammar_requests import REQUESTS, mutated


def grammar(**rules: Expr) -> Grammar:
    return Grammar(tuple(rules.items()), next(iter(rules)))


@pytest.mark.parametrize(
    ("expr", "shape"),
    [
        (lit(""), EMPTY_STRING),
        (lit("ab"), INLINE),
        (lit("ab\n"), LINE),
        (lit("\n"), LINE),
        (lit("a\nb\n"), LINES),
        (lit("a\nb"), BROKEN),
        (seq("a", lit("\n")), LINE),
        (seq(some(chars("a-z")), "\n", some(chars("a-z"))), BROKEN),
        (optional("a\n"), EMPTY_STRING | LINE),
        (many("a\n"), EMPTY_STRING | LINE | LINES),
        (repeat("a\n", 2, 2), LINES),
        (repeat("a\n", 5, 9), LINES),
        (repeat("a", 0, 4), EMPTY_STRING | INLINE),
        (alt("a\n", "b", ""), LINE | INLINE | EMPTY_STRING),
        (seq(optional("a"), optional("b\n")), EMPTY_STRING | INLINE | LINE),
        (chars("ab\n"), INLINE | LINE),
        (chars("ab", negated=True), INLINE | LINE),
        (chars("\n", negated=True), INLINE),
    ],
)
def test_the_shapes_of_an_expression(expr: Expr, shape: int) -> None:
    assert shape_of(expr, {}) == shape


def test_the_shape_of_a_rule_that_needs_itself_is_that_of_its_strings() -> None:
    rules = grammar(text=alt(seq("a", Ref("text")), '"\n'))
    assert line_shapes(rules)["text"] == LINE


@pytest.mark.parametrize("name", REQUESTS)
def test_rules_without_recursion_have_the_same_sentences(name: str) -> None:
    before = lower(REQUESTS[name])
    after = without_recursion(before)
    random = Random(7)
    old, new = (Automaton(Ref(g.root), g.by_name) for g in (before, after))
    for number in range(30):
        text = sample(before if number % 2 else after, random)
        assert old.accepts(text)
        assert new.accepts(text)
        other = mutated(text, random)
        assert old.accepts(other) == new.accepts(other), other


@pytest.mark.parametrize("name", REQUESTS)
def test_lines_are_free_of_recursion(name: str) -> None:
    assert not without_recursion(lower(REQUESTS[name])).validate()
    flat = without_recursion(lower(REQUESTS[name]))
    assert without_recursion(flat) == flat


def test_a_call_with_many_inputs_does_not_multiply() -> None:
    inputs = ", ".join(f"input_{i}?: number" for i in range(60))
    library = LibrarySpec(path="/lib/math/many", signature=f"({inputs}) -> x: number")
    rules = without_recursion(lower(Constraints(libraries=(library,)))).rules
    assert sum(len(repr(expr)) for _, expr in rules) < 400_000


@pytest.mark.parametrize(
    "rules",
    [
        {"a": alt(seq("(", Ref("a"), ")"), "x")},
        {"a": alt(many(Ref("a"), "x"), "y")},
        {"a": seq("x", Ref("a"))},
    ],
)
def test_a_line_that_is_not_regular_is_refused(rules: dict[str, Expr]) -> None:
    with pytest.raises(ValueError, match="rule"):
        without_recursion(grammar(**rules))


def test_recursion_over_lines_is_left_alone() -> None:
    rules = grammar(block=alt(seq("a\n", Ref("block"), "b\n"), "c\n"))
    assert without_recursion(rules) == rules
