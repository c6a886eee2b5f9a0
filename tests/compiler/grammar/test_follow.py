"""What can follow the rules whose end is open."""

from __future__ import annotations

from agentic_dsl.compiler.grammar.follow import followers
from agentic_dsl.compiler.grammar.ir import CharClass, Expr, Grammar, Ref, alt, chars, many, optional, seq


def found(**rules: Expr) -> dict[str, CharClass]:
    return dict(followers(Grammar(tuple(rules.items()), "root")))


WORD = seq(chars("a-z"), many(chars("a-z0-9")))


def test_what_follows_a_word_is_collected_over_all_its_places() -> None:
    assert found(root=seq(Ref("word"), ": ", Ref("word"), "\n"), word=WORD) == {"word": chars("\n:")}


def test_what_may_be_absent_lets_the_next_thing_through() -> None:
    assert found(root=seq(Ref("word"), optional("?"), Ref("end")), word=WORD, end=alt("!", ".")) == {
        "word": chars("!.?")
    }


def test_a_reference_at_the_end_passes_on_what_follows_its_rule() -> None:
    rules = found(root=seq("x", Ref("outer"), "\n"), outer=seq("y", Ref("tail")), tail=many(chars("a")))
    assert rules == {"outer": chars("\n"), "tail": chars("\n")}


def test_a_repeated_rule_follows_itself() -> None:
    assert found(root=seq(many(Ref("word"), ","), many(Ref("item")), "."), word=WORD, item=WORD) == {
        "word": chars(","),
        "item": CharClass(((".", "."), ("a", "z"))),
    }


def test_a_closed_rule_and_one_at_the_end_of_the_text_have_no_entry() -> None:
    assert found(root=seq(Ref("line"), Ref("word")), line=seq(WORD, "\n"), word=WORD) == {}


def test_a_negated_class_is_followed_by_all_other_characters() -> None:
    ahead = found(root=seq(Ref("word"), chars("b-y", negated=True), "\n"), word=WORD)["word"]
    assert "a" in ahead
    assert "m" not in ahead
    assert "\U0010ffff" in ahead


def test_an_empty_rule_at_the_end_lets_what_comes_after_through() -> None:
    rules = found(root=seq(Ref("outer"), "!"), outer=seq(Ref("word"), Ref("maybe")), word=WORD, maybe=alt("", ",\n"))
    assert rules["word"] == chars(",!")
