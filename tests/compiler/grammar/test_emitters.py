"""The two dialects: their escapes and counts, the same text for the same constraints, the same language in both."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.grammar.emit_gbnf import emit_gbnf
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.ir import (
    CharClass,
    Expr,
    Grammar,
    Literal,
    Ref,
    alt,
    chars,
    many,
    optional,
    repeat,
    seq,
)
from agentic_dsl.compiler.grammar.lower import STATIC_RULES, lower
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from tests.compiler.grammar.acceptors import accepts, automaton
from tests.compiler.grammar.gbnf_reader import read_gbnf
from tests.compiler.grammar.requests import REQUESTS, TOOLS

STRANGE = 'a"\\\n\r\t\x00\x1f\x7f\x85[]^-é漢\ufeff\ufffe😀'


def grammar(**rules: Expr) -> Grammar:
    return Grammar(tuple(rules.items()), next(iter(rules)))


def test_xgrammar_text_has_the_escapes_of_its_dialect() -> None:
    assert emit_xgrammar(grammar(start=lit_of(STRANGE))) == (
        'root ::= "a\\"\\\\\\n\\r\\t\\u0000\\u001f\\u007f\\u0085[]^-é漢\\ufeff\\ufffe\\U0001f600"\n'
    )
    assert emit_xgrammar(grammar(root=CharClass((("-", "-"), ("[", "^")), negated=True))) == (
        "root ::= [\\u0000-,.-Z_-\\U0010ffff]\n"
    )


def test_xgrammar_classes_are_positive_and_cut_where_older_versions_would_lose_characters() -> None:
    text = chars('\x00-\x1f"\\\x7f-\x9f\ud800-\udfff\ufffe-\uffff', negated=True)
    assert emit_xgrammar(grammar(root=text)) == (
        "root ::= [ -!#-\\u005b\\u005d-~\\u00a0-\\ucfff\\ud000-\\ud7ff\\ue000-\\uefff\\uf000-\\ufffd"
        "\\U00010000-\\U0010ffff]\n"
    )


@given(st.lists(st.tuples(st.characters(), st.characters()), min_size=1, max_size=4), st.booleans(), st.data())
def test_a_class_as_xgrammar_text_takes_the_same_characters(
    ends: list[tuple[str, str]], negated: bool, data: st.DataObject
) -> None:
    ranges = tuple((min(pair), max(pair)) for pair in ends)
    cls = CharClass(ranges, negated)
    written = emit_xgrammar(grammar(root=cls)).removeprefix("root ::= ")
    near = [chr(min(max(ord(end) + step, 0), sys.maxunicode)) for pair in ranges for end in pair for step in (-1, 0, 1)]
    for char in (*near, data.draw(st.characters())):
        assert (char in read_class(written)) == (char in cls)


_END = r"(\\[nrt\\]|\\u.{4}|\\U.{8}|.)"


def read_class(text: str) -> CharClass:
    """A positive class of the dialect."""
    pairs = re.findall(f"{_END}(?:-{_END})?", text.strip("\n")[1:-1], re.DOTALL)
    read = [tuple(ast.literal_eval(f"'{end}'") if len(end) > 1 else end for end in pair) for pair in pairs]
    return CharClass(tuple((low, high or low) for low, high in read))


def lit_of(text: str) -> Expr:
    return Literal(text)


def test_gbnf_text_has_the_escapes_of_its_dialect() -> None:
    assert emit_gbnf(grammar(start=lit_of(STRANGE))) == (
        'root ::= "a\\"\\\\\\n\\r\\t\\x00\\x1F\\x7F\\x85[]^-é漢\\uFEFF\\uFFFE\\U0001F600"\n'
    )
    assert emit_gbnf(grammar(a_b=Ref("c_d"), c_d=CharClass((("-", "-"), ("[", "^"))))) == (
        "root ::= c-d\nc-d ::= [\\x2D\\[-\\x5E]\n"
    )


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (seq("ab", alt("c", "d")), '"ab" ("c" | "d")'),
        (many(alt("a", "b")), '("a" | "b")*'),
        (repeat(Ref("x"), 1), "x+"),
        (repeat(Ref("x"), 1, 20), "x{1,20}"),
        (repeat(Ref("x"), 3, 3), "x{3}"),
        (repeat(Ref("x"), 2), "x{2,}"),
        (optional(chars("a-z"), Ref("x")), "([a-z] x)?"),
        (alt("a", seq("b", Ref("x"))), '"a" | "b" x'),
        (alt("", "a"), '"" | "a"'),
    ],
)
def test_both_dialects_write_structure_alike(expr: Expr, text: str) -> None:
    rules = grammar(root=expr, x=lit_of("x"))
    assert emit_xgrammar(rules) == f'root ::= {text}\nx ::= "x"\n'
    assert emit_gbnf(rules) == f'root ::= {text}\nx ::= "x"\n'


def test_gbnf_counts_a_whole_literal() -> None:
    assert emit_gbnf(grammar(root=many("ab"))) == 'root ::= ("ab")*\n'


def test_rules_with_an_open_end_say_what_follows() -> None:
    text = emit_xgrammar(grammar(root=seq(Ref("word"), "]\n"), word=alt(many(chars("a-z")), chars("0-9"))))
    assert text == 'root ::= word "]\\n"\nword ::= ([a-z]* | [0-9]) (=[\\u005d])\n'


@pytest.mark.masks
@pytest.mark.parametrize("char", STRANGE)
def test_xgrammar_reads_every_escape_as_its_character(char: str) -> None:
    everything_else = CharClass(((char, char),), negated=True)
    assert accepts(emit_xgrammar(grammar(root=Literal(char))), char)
    assert accepts(emit_xgrammar(grammar(root=CharClass(((char, char),)))), char)
    assert not accepts(emit_xgrammar(grammar(root=everything_else)), char)
    assert accepts(emit_xgrammar(grammar(root=everything_else)), "x")


@pytest.mark.parametrize("char", STRANGE)
def test_a_gbnf_reader_reads_every_escape_as_its_character(char: str) -> None:
    assert automaton(read_gbnf(emit_gbnf(grammar(root=Literal(char))))).accepts(char)
    assert automaton(read_gbnf(emit_gbnf(grammar(root=CharClass(((char, char),)))))).accepts(char)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_grammar_is_without_fault(name: str) -> None:
    assert lower(REQUESTS[name]).validate() == ()
    assert lower(REQUESTS[name], count_in_grammar=False).validate() == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_the_gbnf_text_reads_back_as_the_same_rules(name: str) -> None:
    found = read_gbnf(compile(REQUESTS[name], dialect="gbnf").grammar)
    assert found.validate() == ()
    assert len(found.rules) == len(lower(REQUESTS[name]).rules)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_foreign_reader_takes_the_gbnf_text(name: str) -> None:
    llguidance = pytest.importorskip("llguidance")
    from llguidance.gbnf_to_lark import gbnf_to_lark

    lark = llguidance.LLMatcher.grammar_from_lark(gbnf_to_lark(compile(REQUESTS[name], dialect="gbnf").grammar))
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), lark)
    assert not matcher.is_error(), matcher.get_error()


def test_no_rule_has_a_name_that_a_dialect_reserves() -> None:
    for constraints in REQUESTS.values():
        for name, _ in lower(constraints).rules:
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
            assert name not in ("true", "false")


def test_names_that_differ_in_other_characters_do_not_meet() -> None:
    from agentic_dsl.constraints import ToolSpec

    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "properties": {"b": {"type": "string"}}}
    tools = (ToolSpec(name="a b", parameters=schema), ToolSpec(name="a-b", parameters=other))
    assert lower(Constraints(tools=tools)).validate() == ()


def test_equal_constraints_give_equal_text_whatever_the_order_of_tools() -> None:
    one, other = (compile(Constraints(tools=tools)).grammar for tools in (TOOLS, TOOLS[::-1]))
    assert one == other


def test_rules_that_no_request_changes_are_the_same_text_in_every_grammar() -> None:
    def static(constraints: Constraints) -> dict[str, str]:
        lines = (line.split(" ::= ") for line in compile(constraints).grammar.splitlines())
        return {name: text for name, text in lines if name in STATIC_RULES}

    first = static(Constraints(tools=TOOLS[:1]))
    for path, count in (("/dynamic/other", 7), ("/dynamic/a/b", 2000)):
        again = static(Constraints(path=path, max_nodes=count, tools=TOOLS))
        assert again == first
        assert "text" in again


def test_a_change_of_path_changes_few_rules() -> None:
    one, other = (
        dict(line.split(" ::= ") for line in compile(Constraints(path=path)).grammar.splitlines())
        for path in ("/dynamic/a", "/dynamic/b")
    )
    assert {name for name in one if one[name] != other[name]} == {
        "header",
        "nodes",
        "handler",
        "fork_branches_field",
    }


def test_a_count_that_llama_cpp_refuses_is_left_to_the_check() -> None:
    spec = compile(Constraints(max_nodes=5000), dialect="gbnf")
    assert "5000" not in spec.grammar
    assert next(e for e in spec.report if e.constraint == "max_nodes").level.value == "checked"
    assert "4999" in compile(Constraints(max_nodes=5000)).grammar
