"""The constructors simplify without changing the language; `validate` finds what engines compile silently."""

from __future__ import annotations

from random import Random

import pytest

from agentic_dsl.compiler.grammar.ir import (
    EMPTY,
    Alt,
    CharClass,
    Expr,
    Fault,
    Grammar,
    GrammarFault,
    Literal,
    Ref,
    Repeat,
    Seq,
    alt,
    chars,
    lit,
    many,
    optional,
    repeat,
    separated,
    seq,
    some,
    spread,
)
from agentic_dsl.compiler.grammar.sample import sample
from tests.compiler.grammar.acceptors import automaton


def grammar(**rules: Expr) -> Grammar:
    return Grammar(tuple(rules.items()), next(iter(rules)))


def accepted(expr: Expr, text: str) -> bool:
    return automaton(grammar(root=expr)).accepts(text)


def test_sequences_are_flat_and_join_their_literals() -> None:
    assert seq("a", seq("b", Ref("x")), "", "c", "d") == Seq((Literal("ab"), Ref("x"), Literal("cd")))
    assert seq("a", "b") == Literal("ab")
    assert seq() == EMPTY


def test_alternatives_are_flat_and_each_stands_once() -> None:
    assert alt("a", alt("b", "a"), Ref("x")) == Alt((Literal("a"), Literal("b"), Ref("x")))
    assert alt("a", "a") == Literal("a")
    with pytest.raises(ValueError, match="matches nothing"):
        alt()


def test_counts_that_say_nothing_are_dropped() -> None:
    assert repeat("a", 1, 1) == Literal("a")
    assert repeat("a", 0, 0) == EMPTY
    assert optional() == EMPTY
    assert many("a", "b") == Repeat(Literal("ab"), 0, None)
    with pytest.raises(ValueError, match="between 3 and 2"):
        repeat("a", 3, 2)


def test_a_class_is_written_as_in_a_regular_expression() -> None:
    assert chars("a-c_-") == CharClass((("-", "-"), ("_", "_"), ("a", "c")))
    assert "b" in chars("a-c")
    assert "b" not in chars("a-c", negated=True)


@pytest.mark.parametrize(
    ("expr", "inside", "outside"),
    [
        (repeat(chars("0-9"), 0, 2), ("", "1", "12"), ("123", "a")),
        (separated(chars("a"), ",", 2), ("a,a", "a,a,a"), ("a", "a,", "")),
        (some(alt("ab", "c")), ("ab", "cab"), ("", "a")),
        (repeat(chars("x"), 2, 3), ("xx", "xxx"), ("x", "xxxx")),
    ],
)
def test_the_shorthands_mean_what_they_say(expr: Expr, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    assert all(accepted(expr, text) for text in inside)
    assert not any(accepted(expr, text) for text in outside)


def test_spreading_multiplies_out_choices_and_keeps_the_language() -> None:
    parts = (alt("a", "b"), optional("-"), "=", many(chars("0-9")), alt("x", seq("y", Ref("z"))))
    flat = spread(*parts)
    assert isinstance(flat, Alt)
    assert len(flat.options) == 8
    assert all(not isinstance(item, Alt) for way in flat.options if isinstance(way, Seq) for item in way.items)
    rules = {"z": lit("!")}
    one, other = grammar(root=flat, **rules), grammar(root=seq(*parts), **rules)
    random = Random(1)
    for _ in range(200):
        assert automaton(other).accepts(sample(one, random))
        assert automaton(one).accepts(sample(other, random))


def test_faults_that_engines_compile_silently_are_found() -> None:
    faulty = Grammar(
        (
            ("root", alt(Ref("a"), Ref("gone"))),
            ("a", seq("x", Ref("loop"))),
            ("loop", seq("y", Ref("loop"))),
            ("spare", lit("z")),
            ("spare", lit("z")),
        ),
        "root",
    )
    assert set(faulty.validate()) == {
        GrammarFault(Fault.UNDEFINED, "gone"),
        GrammarFault(Fault.UNUSED, "spare"),
        GrammarFault(Fault.DOUBLE, "spare"),
        GrammarFault(Fault.UNPRODUCTIVE, "a"),
        GrammarFault(Fault.UNPRODUCTIVE, "loop"),
        GrammarFault(Fault.UNPRODUCTIVE, "root"),
    }
    assert str(GrammarFault(Fault.UNUSED, "spare")) == 'the rule "spare" is unused'


def test_an_empty_class_produces_nothing() -> None:
    assert grammar(root=CharClass(())).validate() == (GrammarFault(Fault.UNPRODUCTIVE, "root"),)


def test_reachable_rules_come_in_the_order_of_reading() -> None:
    rules: dict[str, Expr] = {
        "c": lit("c"),
        "unused": lit("u"),
        "b": Ref("c"),
        "root": seq(Ref("b"), Ref("a")),
        "a": Ref("c"),
    }
    found = Grammar.reachable(rules, "root")
    assert [name for name, _ in found.rules] == ["root", "b", "c", "a"]
    assert found.validate() == ()


def test_equal_seeds_give_equal_sentences() -> None:
    found = grammar(root=many(alt(chars('"', negated=True), "ab")))
    assert sample(found, Random(7)) == sample(found, Random(7))
