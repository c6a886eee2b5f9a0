"""Templates: what is accepted and what it reads, what is refused and why, and that both readings agree."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.template import parse_condition, parse_template, template_by_grammar
from agentic_dsl.compiler.parse.template_pattern import template_by_pattern
from agentic_dsl.compiler.parse.template_pieces import holds_template
from agentic_dsl.template import (
    Binary,
    Call,
    Constant,
    Context,
    For,
    If,
    Item,
    ListOf,
    Literal,
    Member,
    Name,
    ObjectOf,
    Output,
    Set,
    Template,
    Unary,
    reads,
)

A, B, C = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    "text", ["", "text", "{ a }", "}}", "100%}", '{"a": {"b": 1}}', "#}", "{a}{b}", "% # {", "a } } b"]
)
def test_a_text_without_a_construct_is_no_template(text):
    assert parse_template(text) is None


EXPRESSIONS = [
    ("a", A),
    ("$", Context()),
    ("$.a", Member(Context(), "a")),
    ("$.a.b", Member(Member(Context(), "a"), "b")),
    ("a.b.c", Member(Member(A, "b"), "c")),
    ("a . b", Member(A, "b")),
    ("a.0", Item(A, Constant(0))),
    ("a.0.1.b", Member(Item(Item(A, Constant(0)), Constant(1)), "b")),
    ("a[0]", Item(A, Constant(0))),
    ("a[b]", Item(A, B)),
    ("a['k']", Item(A, Constant("k"))),
    ('$["a"].b', Member(Item(Context(), Constant("a")), "b")),
    ("a.in.not.true", Member(Member(Member(A, "in"), "not"), "true")),
    ("1", Constant(1)),
    ("1.5", Constant(1.5)),
    ("1e3", Constant(1000.0)),
    ("'x'", Constant("x")),
    ('"x"', Constant("x")),
    (r'"a\"b\n\u0041\\\q"', Constant('a"b\nA\\\\q')),
    (r"'it\'s'", Constant("it's")),
    ("'}}'", Constant("}}")),
    ('"%} {{ #}"', Constant("%} {{ #}")),
    ("true", Constant(True)),
    ("false", Constant(False)),
    ("null", Constant(None)),
    ("truely", Name("truely")),
    ("android", Name("android")),
    ("[]", ListOf(())),
    ("[a, 1,]", ListOf((A, Constant(1)))),
    ("{}", ObjectOf(())),
    ("{\"k\": a, 'l': 1}", ObjectOf((("k", A), ("l", Constant(1))))),
    ('{"k": {"l": a}}', ObjectOf((("k", ObjectOf((("l", A),))),))),
    ("f()", Call("f", ())),
    ("f(a, 1)", Call("f", (A, Constant(1)))),
    ("f(g(a))", Call("f", (Call("g", (A,)),))),
    ("map(a, attr='n')", Call("map", (A, Constant("n")))),
    ("a | f", Call("f", (A,), piped=True)),
    ("a | f(b)", Call("f", (A, B), piped=True)),
    ("a|f|g(1)", Call("g", (Call("f", (A,), piped=True), Constant(1)), piped=True)),
    ("a + b | f", Binary(A, "+", Call("f", (B,), piped=True))),
    ("(a + b) | f", Call("f", (Binary(A, "+", B),), piped=True)),
    ("a.b | f", Call("f", (Member(A, "b"),), piped=True)),
    ("not a", Unary("not", A)),
    ("-a", Unary("-", A)),
    ("!a", Unary("not", A)),
    ("a - 1", Binary(A, "-", Constant(1))),
    ("a-1", Binary(A, "-", Constant(1))),
    ("a + b * c", Binary(A, "+", Binary(B, "*", C))),
    ("(a + b) * c", Binary(Binary(A, "+", B), "*", C)),
    ("a - b - c", Binary(Binary(A, "-", B), "-", C)),
    ("a ^ b ^ c", Binary(A, "^", Binary(B, "^", C))),
    ("a % b / c", Binary(Binary(A, "%", B), "/", C)),
    ("a == b", Binary(A, "==", B)),
    ("a != b", Binary(A, "!=", B)),
    ("a<=b", Binary(A, "<=", B)),
    ("a in [b]", Binary(A, "in", ListOf((B,)))),
    ("a not in b", Unary("not", Binary(A, "in", B))),
    ("a and b or c", Binary(Binary(A, "and", B), "or", C)),
    ("a or b and c", Binary(A, "or", Binary(B, "and", C))),
    ("not a == b", Unary("not", Binary(A, "==", B))),
    ("a && b || !c", Binary(Binary(A, "and", B), "or", Unary("not", C))),
    ("a + 1 > b", Binary(Binary(A, "+", Constant(1)), ">", B)),
]


@pytest.mark.parametrize(("text", "expression"), EXPRESSIONS)
@pytest.mark.parametrize("around", ["{{ %s}}", "{{ %s }}", "{{- %s -}}", "{{\n\t%s\n}}", "x {{ %s }} y"])
def test_an_expression_has_its_tree(text, expression, around):
    template = parse_template(around.replace("%s", text))
    assert isinstance(template, Template), template
    (output,) = [part for part in template.parts if isinstance(part, Output)]
    assert output.expression == expression
    assert template.is_whole == around.startswith("{{")


@pytest.mark.parametrize(("text", "expression"), EXPRESSIONS)
def test_a_bare_condition_has_the_tree_of_its_expression(text, expression):
    template = parse_condition(text)
    if holds_template(text):
        return
    assert template == Template((Output(expression),))
    assert template.parts[0].expression.span.start >= 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a{{ b }}c", (Literal("a"), Output(B), Literal("c"))),
        ("{{a}}{{b}}", (Output(A), Output(B))),
        ("{{ a }}}", (Output(A), Literal("}"))),
        ('{"k": {{ a }}}', (Literal('{"k": '), Output(A), Literal("}"))),
        ("{# note #}{{ a }}", (Literal(" note ", comment=True), Output(A))),
        ("{#- {{ a }} -#}", (Literal(" {{ a }} -", comment=True),)),
        ("{% if a %}x{% endif %}", (If(((A, (Literal("x"),)),)),)),
        ("{%if a%}{%endif%}", (If(((A, ()),)),)),
        ("{%- if a -%}x{%- else -%}y{%- endif -%}", (If(((A, (Literal("x"),)),), (Literal("y"),)),)),
        (
            "{% if a %}1{% else if b %}2{% elif c %}3{% else %}4{% endif %}",
            (If(((A, (Literal("1"),)), (B, (Literal("2"),)), (C, (Literal("3"),))), (Literal("4"),)),),
        ),
        ("{% for x in a %}{{ x }}{% endfor %}", (For(("x",), A, (Output(Name("x")),)),)),
        ("{% for k, v in a.b %}{% endfor %}", (For(("k", "v"), Member(A, "b"), ()),)),
        ("{% for x in a in b %}{% endfor %}", (For(("x",), Binary(A, "in", B), ()),)),
        ("{% set x = a + 1 %}", (Set("x", Binary(A, "+", Constant(1))),)),
        ("{% set x.y = a %}", (Set("x", A),)),
        ('{% set x = {"a": {"b": c}} %}', (Set("x", ObjectOf((("a", ObjectOf((("b", C),))),))),)),
        (
            "{% for x in a %}{% if b %}{{ x }}{% endif %}{% endfor %}",
            (For(("x",), A, (If(((B, (Output(Name("x")),)),)),)),),
        ),
        ("{%+ if a %}{% endif +%}", (If(((A, ()),)),)),
        ("{{ a }} 100%}", (Output(A), Literal(" 100%}"))),
    ],
)
def test_a_template_has_its_parts(text, parts):
    assert parse_template(text) == Template(parts)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ a }} {{ $.b.c }} {{ inputs.d }} {{ $.inputs.e }}", ["a", "b", "d", "e"]),
        ("{{ a[b].c }}", ["b", "a"]),
        ("{{ default(a, b) | upper }}", ["a?", "b"]),
        ("{{ a | default(b) }}", ["a?", "b"]),
        ('{{ exists("a") and exists(b) }}', ["b?"]),
        ("{% for x in xs %}{{ x.y }}{{ loop.index }}{{ z }}{% endfor %}{{ x }}", ["xs", "z", "x"]),
        ("{% set t = a %}{{ t }}{{ $.t }}", ["a", "t"]),
        ("{{ $.now }}{{ now }}", []),
        ("{% if a %}{{ b }}{% else if c %}{% else %}{{ d }}{% endif %}", ["a", "b", "c", "d"]),
        ("{# {{ a }} #}", []),
        ('{{ {"k": [a]} }}', ["a"]),
    ],
)
def test_the_names_read_are_known(text, names):
    template = parse_template(text)
    assert isinstance(template, Template), template
    assert [read.name + ("?" if read.guarded else "") for read in reads(template)] == names


PROBLEMS = [
    ("{{ a", 'the "{{" is never closed', 'close it with "}}"', "{{"),
    ("x {% if a", 'the "{%" is never closed', 'close it with "%}"', "{%"),
    ("x {# a", 'the comment "{#" is never closed', 'close it with "#}"', "{#"),
    ("{{ a }", 'is closed by "}"', 'close it with "}}"', "}"),
    ("{{ a %}", 'is closed by "%}"', 'close it with "}}"', "%}"),
    ("{% if a }}", 'is closed by "}}"', 'close it with "%}"', "}}"),
    ("{{ a {{ b }}", 'not closed before the next "{{"', 'close it with "}}"', "{{"),
    ("{{{ a }}}", '"a" stands', '"}"', "a"),
    ("{{ it's }}", "a string inside {{ … }} is never closed", "drop the quote", "'"),
    ('{{ "a }}', "a string inside {{ … }} is never closed", "close it", '"'),
    ("{{ }}", "holds no expression", "write the value", ""),
    ("{{}}", "holds no expression", "write the value", ""),
    ("{{ a b }}", '"b" stands in a template where', "an operator", "b"),
    ("{{ a == }}", "ends where a value", "write a value", ""),
    ("{{ (a }}", 'ends where ")"', 'write ")"', ""),
    ("{{ a) }}", '")" closes nothing', "close every bracket", ")"),
    ("{{ [a, }}", "ends where", "write", ""),
    ("{{ a[ }}", "ends where a value", "write a value", ""),
    ("{{ a. }}", "ends where a field name or an index", "write", ""),
    ("{{ .a }}", '"." stands', "a value", "."),
    ("{{ a.b() }}", '"(" stands', "by its name", "("),
    ("{{ a is defined }}", '"is" stands', "exists", "is"),
    ("{{ a if b else c }}", '"if" stands', "{% if", "if"),
    ("{{ a ? b : c }}", '"?" means nothing', "{% if", "?"),
    ("{{ a = 1 }}", '"=" stands', "==", "="),
    ("{{ a ~ b }}", '"~" means nothing', "+", "~"),
    ("{{ a ** b }}", '"*" stands', "", "*"),
    ("{{ a; }}", '";" means nothing', "without a semicolon", ";"),
    ("{{ `a` }}", '"`" means nothing', "quote", "`"),
    ("{{ $a }}", '"a" stands', "", "a"),
    ("{{ in }}", '"in" stands', "a value", "in"),
    ("{{ имя }}", "no name that a template can read", "a to z", "имя"),
    ("{{ {a: 1} }}", '"a" stands', "", "a"),
    ("{{ @ }}", '"@" means nothing', "remove", "@"),
    ("{{ \x1b[0m }}", '"\\x1b" means nothing', "remove", "\x1b"),
    ("{% if a %}", 'the "if" is never closed', "{% endif %}", "{% if a %}"),
    ("{% for x in a %}{% if b %}{% endif %}", 'the "for" is never closed', "{% endfor %}", "{% for x in a %}"),
    ("{% endif %}", '"endif" closes nothing', "{% if … %}", "{% endif %}"),
    ("{% if a %}{% endfor %}", '"endfor" stands where the "if" is still open', "{% endif %}", "{% endfor %}"),
    ("{% else %}", '"else" stands outside', "{% if", "{% else %}"),
    ("{% for x in a %}{% else %}{% endfor %}", '"else" stands outside', "{% if", "{% else %}"),
    ("{% if a %}{% else %}{% else %}{% endif %}", 'after the "else"', "last", "{% else %}"),
    ("{% if a %}{% else %}{% elif b %}{% endif %}", 'after the "else"', "last", "{% elif b %}"),
    ("{% if a %} %} {% endif %}", '"%}" closes nothing', '"{%"', "%}"),
    ("{% %}", "holds no statement", "begin it with if", "{% %}"),
    ("{% if %}{% endif %}", "ends where a value", "write a value", ""),
    ("{% for x of xs %}{% endfor %}", '"of" stands', '"in"', "of"),
    ("{% for in xs %}{% endfor %}", '"in" stands', "a name", "in"),
    ("{% for x, y, z in xs %}{% endfor %}", '"," stands', '"in"', ","),
    ("{% set x %}", 'ends where ".", "=" is expected'.replace('".", ', ""), "", ""),
    ("{% set 1 = x %}", '"1" stands', "a name", "1"),
    ("{% endif x %}", '"x" stands', "the end", "x"),
    ("{% unless a %}", 'no template statement "unless"', "use one of if", "unless"),
    ("{% elseif a %}", 'no template statement "elseif"', "else if", "elseif"),
    ("{% endfore %}", 'no template statement "endfore"', "endfor", "endfore"),
    ("{% raw %}x{% endraw %}", 'no template statement "raw"', "use one of", "raw"),
]


@pytest.mark.parametrize(("text", "message", "help", "part"), PROBLEMS)
def test_what_cannot_be_read_is_named_with_its_place_and_a_remedy(text, message, help, part):
    problem = parse_template(text)
    assert isinstance(problem, Problem), problem
    assert message in problem.message
    assert help in problem.help
    assert text[problem.span.start : problem.span.end] == part
    assert not problem.forbidden


@pytest.mark.parametrize(("text", "message", "help", "part"), PROBLEMS)
def test_no_message_holds_a_name_of_the_parser(text, message, help, part):
    problem = parse_template(text)
    said = f"{problem.message} {problem.help}"
    assert not re.search(r"\b(NAME|MEMBER|WORD|LEFT|RIGHT|OPEN|CLOSE|DOLLAR|Token|COMMA|END|lark)\b|__|\$END", said)


@pytest.mark.parametrize(
    ("text", "message", "part"),
    [
        ('{% include "x.md" %}', '"include"', '{% include "x.md" %}'),
        ("{% extends base %}", '"extends"', "{% extends base %}"),
        ('{%- import "m" as m -%}', '"import"', '{%- import "m" as m -%}'),
        ('{% from "m" import x %}', '"from"', '{% from "m" import x %}'),
        ("{% block b %}{% endblock %}", '"block"', "{% block b %}"),
        ('{{ env("HOME") }}', 'environment with "env"', 'env("HOME")'),
        ("{{ getenv('HOME') | upper }}", 'environment with "getenv"', "getenv('HOME')"),
        ("{% if a %}{{ f(environ()) }}{% endif %}", 'environment with "environ"', "environ()"),
        ("{{ 'HOME' | env }}", 'environment with "env"', "'HOME' | env"),
        ("{{ env.HOME }}", 'environment with "env"', "env.HOME"),
        ('{{ env["API_KEY"] }}', 'environment with "env"', 'env["API_KEY"]'),
        ("{{ os.environ.HOME }}", 'environment with "os"', "os.environ"),
        ("{% for x in env.PATH %}{% endfor %}", 'environment with "env"', "env.PATH"),
        ("{% if env.CI %}{% endif %}", 'environment with "env"', "env.CI"),
        ("{{ $.ctx_snapshots[key] }}", "not a literal string", "key"),
        ("{{ ctx_snapshots[$.key] }}", "not a literal string", "$.key"),
        ('{{ $["ctx_snapshots"][a + "b"] }}', "not a literal string", 'a + "b"'),
        ("{{ $.ctx_snapshots[0].x }}", "not a literal string", "0"),
        ("{{ at($.ctx_snapshots, key) }}", "not a literal string", "key"),
        ("{{ $.ctx_snapshots | at(key) }}", "not a literal string", "key"),
    ],
)
def test_what_is_forbidden_is_said_to_be(text, message, part):
    problem = parse_template(text)
    assert isinstance(problem, Problem), problem
    assert problem.forbidden
    assert message in problem.message
    assert problem.help
    assert text[problem.span.start : problem.span.end] == part


@pytest.mark.parametrize(
    "text",
    [
        "{{ env }}",
        "{{ $.env.HOME }}",
        "{{ env.region }}",
        "{{ environment.HOME }}",
        "{% for env in envs %}{{ env.URL }}{% endfor %}",
        "{% set env = settings %}{{ env.URL }}",
        '{{ $.ctx_snapshots["/main/plan"].x }}',
        "{{ ctx_snapshots['a'] }}",
        "{{ $.ctx_snapshots.a }}",
        "{{ length(ctx_snapshots) }}",
        "{{ os }}",
        "include {{ a }} extends",
    ],
)
def test_what_only_looks_forbidden_is_read(text):
    assert isinstance(parse_template(text), Template)


@pytest.mark.parametrize("text", ["len($.roots) == 1", "{{ a }}", "count > 0", "{% if a %}true{% endif %}", "not done"])
def test_a_condition_may_be_bare(text):
    assert isinstance(parse_condition(text), Template)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no expression"), ("a b", '"b" stands'), ("env('X')", "environment"), ("{{ a", "never closed")],
)
def test_a_bare_condition_is_judged_like_any_expression(text, message):
    problem = parse_condition(text)
    assert isinstance(problem, Problem)
    assert message in problem.message


def test_every_expression_knows_its_place():
    text = 'x {{ (a.b[0] | f(1, "s")) + -$.c }} {% if not d in [e] %}{% endif %}'
    template = parse_template(text)
    output = template.parts[1]
    total = output.expression
    piped = total.left
    branch = template.parts[3]
    condition = branch.arms[0][0]

    def at(node):
        return text[node.span.start : node.span.end]

    assert at(output) == '{{ (a.b[0] | f(1, "s")) + -$.c }}'
    assert at(total) == '(a.b[0] | f(1, "s")) + -$.c'
    assert at(piped) == '(a.b[0] | f(1, "s"))'
    assert [at(argument) for argument in piped.arguments] == ["a.b[0]", "1", '"s"']
    assert at(total.right) == "-$.c"
    assert at(total.right.operand) == "$.c"
    assert at(branch) == "{% if not d in [e] %}{% endif %}"
    assert at(condition) == "not d in [e]"
    assert at(condition.operand.right.items[0]) == "e"


NESTED = [
    "{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}",
    "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "{{ " + "f(" * 5000 + ")" * 5000 + " }}",
    "{{ " + "a[" * 5000 + "0" + "]" * 5000 + " }}",
    "{{ a" + ".b" * 20000 + " }}",
    "{{ a" + "[0]" * 20000 + " }}",
    "{{ a" + " | f" * 10000 + " }}",
    "{{ a" + " + a" * 10000 + " }}",
    "{{ " + "not " * 10000 + "a }}",
    "{{ " + "-" * 20000 + "a }}",
    "{{ " + '{"a": ' * 5000 + "1" + "} " * 5000 + " }}",
    "{% if a %}" * 5000 + "{% endif %}" * 5000,
    "{% for a in a %}" * 5000,
    "{% if " + "!" * 20000 + "a %}{% endif %}",
]


@pytest.mark.parametrize("text", NESTED)
def test_deep_nesting_is_refused_and_not_walked(text):
    started = time.perf_counter()
    found = parse_template(text)
    assert time.perf_counter() - started < 10
    if isinstance(found, Template):  # parentheses alone, and the fields of a chain, make no depth
        assert list(reads(found))
        return
    assert "nest" in found.message or "never closed" in found.message
    assert found.help


@pytest.mark.parametrize(
    "text",
    [
        "{{ a" + ".b" * 400 + "[0] }}",
        "{{ " + "[" * 90 + "]" * 90 + " }}",
        "{% if a %}" * 99 + "{{ b }}" + "{% endif %}" * 99,
    ],
)
def test_nesting_below_the_limit_is_read(text):
    template = parse_template(text)
    assert isinstance(template, Template)
    assert list(reads(template)) is not None
    assert isinstance(template_by_grammar(text), Template)


@pytest.mark.parametrize(
    "text",
    [
        '{{ "' + '\\"' * 40000,
        "{{ '" * 20000,
        "{{" * 40000,
        "{#" * 40000,
        "{" * 80000,
        "{%" * 40000,
        "{{ a }}" * 10000,
        "{{ " + "1" * 80000 + " }}",
        "{{ a." + "1" * 80000 + " }}",
        "{{ " + "a" * 80000 + " }}",
        "{{ [" + "a, " * 20000 + "] }}",
        "{% if a %}" + "{% else if b %}" * 5000 + "{% endif %}",
        "{{ " + " " * 80000 + "}}",
        "'" * 80000 + "{{ a }}",
    ],
)
def test_time_is_linear_in_the_length(text):
    started = time.perf_counter()
    parse_template(text)
    assert time.perf_counter() - started < 10


_WORDS = ["a", "b1", "_c", "true", "not", "in", "env", "os", "ctx_snapshots", "HOME", "loop", "имя", "aé"]
_PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{{ ",
        " }}",
        "{%",
        "%}",
        "{# ",
        "#}",
        "{",
        "}",
        "$",
        "$.",
        ".",
        "[",
        "]",
        "0",
        "12",
        "(",
        ")",
        " | ",
        "'",
        '"',
        "\\",
        " ",
        "\n",
        "-",
        "text ",
        "if ",
        "endif",
        "for ",
        "else",
        "set ",
        " = ",
        ", ",
        "==",
        "+",
        *_WORDS,
    ]
)
_READ = st.builds(
    lambda root, name, steps, space: f"{{{{{space}{root}{name}{''.join(steps)}{space}}}}}",
    st.sampled_from(["", "$.", "$"]),
    st.sampled_from(_WORDS),
    st.lists(
        st.sampled_from([".a", ".b_2", ".0", ".12", "[0]", "[345]", ".HOME", "[a]", ".", "[1234567890]"]), max_size=4
    ),
    st.sampled_from(["", " ", "\n", "  ", "-"]),
)
_SIMPLE = st.sampled_from(
    ["a", "$.b.c", "a[0]", "true", "not", "length", "1", "1.5", "1.", "1e3", "00", "9" * 16, '"x)"', "'y'"]
)
_OPERATOR = st.sampled_from(["==", " != ", "<=\n", " >", " in ", " and ", "="])
_OPERAND = st.one_of(
    _SIMPLE,
    st.builds("{}({}{})".format, st.sampled_from(["length", "default", "upper", "length "]), _SIMPLE, st.just("")),
    st.builds("{}({},{})".format, st.sampled_from(["default", "length"]), _SIMPLE, _SIMPLE),
)
_COMPARISON = st.one_of(
    st.builds("{{{{ {} }}}}".format, _OPERAND),
    st.builds("{{{{ {}{}{}}}}}".format, _OPERAND, _OPERATOR, _OPERAND),
)
_TEXTS = st.one_of(
    st.lists(_PIECES, max_size=14).map("".join),
    st.lists(_COMPARISON, max_size=3).map("".join),
    st.lists(st.one_of(_READ, _READ, st.sampled_from(["x", "}", "{", " ", "%}", "é"])), max_size=5).map("".join),
)


@given(_TEXTS)
@example("{{ a.1234567890 }}")
@example("{{ a" + ".b" * 60 + " }}")
def test_the_fast_reading_of_templates_is_the_full_one(text):
    if not holds_template(text):
        return
    fast = template_by_pattern(text)
    if fast is not None:
        assert repr(fast) == repr(template_by_grammar(text))  # repr: spans are no part of equality


@pytest.mark.parametrize("root", ["a", "$.a", "user_1", "$.inputs"])
@pytest.mark.parametrize("steps", ["", ".b", ".0", "[0]", ".b[12].c.0", ".not"])
@pytest.mark.parametrize("around", ["{{ %s }}", "{{%s}}", "Say {{\n%s }} and {{ x }}!"])
def test_plain_reads_are_read_fast(root, steps, around):
    text = around.replace("%s", root + steps)
    fast = template_by_pattern(text)
    assert fast is not None
    assert repr(fast) == repr(template_by_grammar(text))


@pytest.mark.parametrize(
    "expression",
    [
        "length(a)",
        "length( $.a.b[0] )",
        "default(a, 1)",
        "default(a.b , 'none')",
        "length(a) > 0",
        "a == true",
        '$.state=="done"',
        "0 < a",
        "default(a, 0) <= $.limits.max",
        "1.5",
        "null",
    ],
)
def test_the_forms_of_generated_text_are_read_fast(expression):
    text = f"Say {{{{ {expression} }}}}!"
    fast = template_by_pattern(text)
    assert fast is not None
    assert repr(fast) == repr(template_by_grammar(text))


@given(st.one_of(_TEXTS, st.text(max_size=60)))
def test_any_text_is_a_template_a_problem_or_neither(text):
    found = parse_template(text)
    assert (found is None) == (not holds_template(text))
    match found:
        case Problem(message, help, span):
            assert message
            assert help
            assert 0 <= span.start <= span.end <= len(text)
        case Template(parts):
            assert parts[0].span.start == 0
            assert parts[-1].span.end == len(text)
            assert all(left.span.end == right.span.start for left, right in pairwise(parts))
            for read in reads(found):
                assert read.name in text
