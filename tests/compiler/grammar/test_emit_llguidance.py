"""The llguidance dialect has the sentences of the IR, and so of the xgrammar dialect."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import pytest

from agentic_dsl.compiler.grammar.automaton import Automaton
from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.ir import Expr, Grammar, Ref, alt, chars, lit, many, optional, repeat, seq, some
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.sample import sample
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler
from agentic_dsl.runtime.tokenizer import load_tokenizer
from tests.strategies.grammar_requests import REQUESTS, mutated

pytest.importorskip("llguidance")
pytestmark = pytest.mark.masks


@lru_cache(maxsize=1)
def compiler() -> LlguidanceCompiler:
    return LlguidanceCompiler(load_tokenizer("bytes"))


def accepts(lark: str, text: str) -> bool:
    """Whether llguidance takes exactly this text, byte by byte."""
    matcher = compiler().matcher(lark)
    return all(map(matcher.accept, text.encode())) and matcher.accept(256)


def grammar(**rules: Expr) -> Grammar:
    return Grammar(tuple(rules.items()), next(iter(rules)))


WORD = some(chars("a-z"))

SHAPES: dict[str, tuple[Grammar, tuple[str, ...], tuple[str, ...]]] = {
    "one line": (grammar(root=seq("a", WORD, "\n")), ("ab\n", "azz\n"), ("a\n", "ab", "ab\n\n", "")),
    "no newline at all": (grammar(root=seq(WORD, many(",", WORD))), ("a", "ab,c"), ("", "a,", "a\n")),
    "a beginning shared by several lines": (
        grammar(
            root=seq("type: ", Ref("typed"), "end\n"),
            typed=alt(seq("a\n", Ref("body")), seq("ab\n"), seq(WORD, "!\n")),
            body=seq(optional(" x\n"), some(" y\n")),
        ),
        ("type: a\n y\nend\n", "type: a\n x\n y\n y\nend\n", "type: ab\nend\n", "type: q!\nend\n"),
        ("type: a\nend\n", "type: ab\n y\nend\n", "type: q\nend\n", "a\n y\nend\n"),
    ),
    "a line that is a prefix of another": (
        grammar(root=seq(alt("x\n", seq("x", WORD, "\n"), "x\ny\n"), "z\n")),
        ("x\nz\n", "xa\nz\n", "x\ny\nz\n"),
        ("x\n", "x\ny\n", "xy\ny\nz\n"),
    ),
    "counted lines": (
        grammar(root=repeat(seq("- ", WORD, "\n", optional("  b\n")), 2, 3)),
        ("- a\n- b\n", "- a\n  b\n- c\n- d\n  b\n"),
        ("- a\n", "- a\n- b\n- c\n- d\n"),
    ),
    "an optional end of a line": (
        grammar(root=seq("a", optional(" b\n", "c"), "\n")),
        ("a\n", "a b\nc\n"),
        ("a b\n", "a b\nc", "ac\n"),
    ),
    "lines inside lines": (
        grammar(root=seq("(\n", optional(Ref("root")), ")\n")),
        ("(\n)\n", "(\n(\n(\n)\n)\n)\n"),
        ("(\n(\n)\n", ")\n"),
    ),
    "text that ends in itself": (
        grammar(
            root=seq('"', Ref("text")), text=seq(many(chars('"{\n', negated=True)), alt('"\n', seq("{}", Ref("text"))))
        ),
        ('""\n', '"a{}b{}{}c"\n', '"é😀\u2028"\n'),
        ('"{"\n', '"a', '"a"\nb'),
    ),
    "characters of every sort": (
        grammar(root=seq(alt(*map(lit, '"\\/|[](){}*+?.^$#%é\x7f\x80\u2028\ufeff😀\t\r')), chars("^]\\/ é-ÿ-"), "\n")),
        ('"^\n', "\\]\n", "/-\n", "\x80é\n", "\u2028/\n", "😀ÿ\n", "\t\\\n", "\x7f \n"),
        ("a^\n", '"a\n', "\\\\\\\n"),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_accepts_and_refuses_as_the_table_says(name: str) -> None:
    rules, good, bad = SHAPES[name]
    lark = emit_llguidance(rules)
    assert [text for text in good if not accepts(lark, text)] == []
    assert [text for text in bad if accepts(lark, text)] == []


@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_sentences_as_the_ir(name: str) -> None:
    rules = lower(REQUESTS[name])
    lark, automaton = emit_llguidance(rules), Automaton(Ref(rules.root), rules.by_name)
    random = Random(11)
    refused = 0
    for _ in range(40):
        text = sample(rules, random)
        assert accepts(lark, text), text
        other = mutated(text, random)
        expected = automaton.accepts(other)
        refused += not expected
        assert accepts(lark, other) == expected, other
    assert refused > 5


@pytest.mark.parametrize("name", REQUESTS)
def test_the_same_sentences_as_the_xgrammar_dialect(name: str) -> None:
    pytest.importorskip("xgrammar")
    from benchmarks.accept import Acceptor

    rules = lower(REQUESTS[name])
    lark, ebnf = emit_llguidance(rules), Acceptor.of(emit_xgrammar(rules))
    random = Random(13)
    for _ in range(20):
        text = mutated(sample(rules, random), random)
        assert accepts(lark, text) == ebnf.accepts(text), text


@pytest.mark.parametrize("name", REQUESTS)
def test_every_terminal_is_one_line(name: str) -> None:
    lark = emit_llguidance(lower(REQUESTS[name]))
    rules = [line.partition(": ")[2] for line in lark.splitlines() if line.partition(":")[0].islower()]
    assert rules
    strings = [part for rule in rules for part in _strings(rule)]
    assert [text for text in strings if not text.endswith("\\n") or text.count("\\n") > 1] == []


def _strings(rule: str) -> list[str]:
    """The insides of the strings of a right side."""
    found, at = [], 0
    while (start := rule.find('"', at)) >= 0:
        end = start + 1
        while rule[end] != '"':
            end += 2 if rule[end] == "\\" else 1
        found.append(rule[start + 1 : end])
        at = end + 1
    return found


def test_the_same_grammar_gives_the_same_text() -> None:
    for constraints in REQUESTS.values():
        assert emit_llguidance(lower(constraints)) == emit_llguidance(lower(constraints))


@pytest.mark.parametrize("expr", [seq(many(chars("a\n")), "b\n"), seq(many(alt("a", "b\n")), "c\n")])
def test_what_does_not_fall_into_lines_is_refused(expr: Expr) -> None:
    with pytest.raises(ValueError, match="newline"):
        emit_llguidance(grammar(root=expr))
