"""Signature lines: what is accepted, as what, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.signature import UnknownType, parse_signature, parse_type, read_signature
from agentic_dsl.signature import TYPE_ALIASES, TYPE_NAMES, FieldType, Parameter, Signature


def shape(parameters):
    """Parameters in short: name, type, ``?`` where optional."""
    return [(p.name, str(p.type) + ("" if p.required else "?")) for p in parameters]


@pytest.mark.parametrize(
    ("text", "inputs", "outputs"),
    [
        ("()", [], []),
        ("() -> ()", [], []),
        ("() -> {}", [], []),
        ("(a: number, b: number) -> {sum: number}", [("a", "number"), ("b", "number")], [("sum", "number")]),
        ("(a: number) -> sum: number", [("a", "number")], [("sum", "number")]),
        ("() -> (x: string, y: int)", [], [("x", "string"), ("y", "integer")]),
        ("() -> x: string, y: int", [], [("x", "string"), ("y", "integer")]),
        ("() -> results", [], [("results", "any")]),
        ("() -> {success}", [], [("success", "any")]),
        ("(prompt, model, seed)", [("prompt", "any"), ("model", "any"), ("seed", "any")], []),
        ("(a?: string)", [("a", "string?")], []),
        ("(a?)", [("a", "any?")], []),
        ("(a: string = 'x')", [("a", "string?")], []),
        ("() -> {comment?: string}", [], [("comment", "string?")]),
        ("(a: array<string>)", [("a", "array<string>")], []),
        ("(a: list<array<int>>)", [("a", "array<array<integer>>")], []),
        (
            "(a: int, b: float, c: bool, d: list, e: dict, f: str)",
            [("a", "integer"), ("b", "number"), ("c", "boolean"), ("d", "array"), ("e", "object"), ("f", "string")],
            [],
        ),
        ("(a: string|null)", [("a", "any")], []),
        ("(a: true|false)", [("a", "boolean")], []),
        ("(a: number,) -> {b: any,}", [("a", "number")], [("b", "any")]),
        ("(a:number)->b:number", [("a", "number")], [("b", "number")]),
        ("(a: number) → {b: number}", [("a", "number")], [("b", "number")]),
        ("(\n  a: number,\n  b?: number\n)\n-> {c: any}", [("a", "number"), ("b", "number?")], [("c", "any")]),
        ("(type: string, string: any)", [("type", "string"), ("string", "any")], []),
        ("() -> {list: array}", [], [("list", "array")]),
    ],
)
def test_a_signature_line_gives_inputs_and_outputs(text, inputs, outputs):
    signature = parse_signature(text)
    assert isinstance(signature, Signature), signature
    assert (shape(signature.inputs), shape(signature.outputs)) == (inputs, outputs)
    for parameter in (*signature.inputs, *signature.outputs):
        assert text[parameter.span.start : parameter.span.end].startswith(parameter.name)


CONTRACTS = {
    "generate": "(prompt_template: string, signature_validation?: strict|warn|ignore,\n"
    "on_signature_violation?: string, on_generation_failure?: string, archive_on_success?: string) "
    "->\n{generated_paths: array, success: boolean}",
    "generate_text": "(prompt: string, model: string, seed: integer,\ntemperature?: number = 0.0, "
    "max_tokens?: integer = 256) -> {text: string, kv_handle?: string}",
    "structured_generate": "(prompt, model, seed, output_schema: object) -> {parsed_output: object}",
    "hypothesize_and_verify": "(generator_path: string, verifier_path: string, max_hypotheses?: integer = 3) "
    "->\n{verified_hypotheses: array, best_hypothesis: object}",
    "try_catch": "(try_block: string, catch_block: string) ->\n{success: boolean}",
    "iper_loop": "(user_intent: string, planner_path: string, max_reflections?: integer = 3) "
    "->\n{final_result: object}",
    "state/set": "(key: string, value: any) -> {success: boolean}",
    "state/get_latest": "(key: string) -> {value?: any}",
    "vector/store": "(text: string, metadata?: object) -> {success}",
    "vector/recall": "(query: string, top_k?: integer = 3) -> {memories: array}",
    "human/approval": "(request: string) ->\n{approved: boolean, comment?: string}",
    "parallel_map": "(items: array, worker_path: string) -> {results: array}",
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contracts_of_the_standard_library_are_read(name):
    signature = parse_signature(CONTRACTS[name])
    assert isinstance(signature, Signature), signature
    assert signature.inputs
    assert signature.outputs


def test_the_contract_of_generate_says_all_that_it_says():
    signature = parse_signature(CONTRACTS["generate"])
    assert signature == Signature(
        inputs=(
            Parameter("prompt_template", FieldType("string")),
            Parameter("signature_validation", FieldType("string"), required=False, enum=("strict", "warn", "ignore")),
            Parameter("on_signature_violation", FieldType("string"), required=False),
            Parameter("on_generation_failure", FieldType("string"), required=False),
            Parameter("archive_on_success", FieldType("string"), required=False),
        ),
        outputs=(Parameter("generated_paths", FieldType("array")), Parameter("success", FieldType("boolean"))),
    )


@pytest.mark.parametrize(
    ("written", "type_", "enum"),
    [
        ("strict|warn", "string", ("strict", "warn")),
        ("read-only|read-write", "string", ("read-only", "read-write")),
        ("'a b'|\"c\"", "string", ("a b", "c")),
        ("'only'", "string", ("only",)),
        ("1|2", "integer", (1, 2)),
        ("1|2.5", "number", (1, 2.5)),
        ("1|a", "any", (1, "a")),
        ("any|all", "string", ("any", "all")),
    ],
)
def test_several_words_are_the_values_allowed(written, type_, enum):
    parameter = parse_signature(f"(a: {written})").inputs[0]
    assert (parameter.type, parameter.enum) == (FieldType(type_), enum)


@pytest.mark.parametrize(
    ("type_", "written", "default"),
    [
        ("number", "0.0", 0.0),
        ("number", "3", 3),
        ("number", "-1.5e3", -1500.0),
        ("integer", "256", 256),
        ("boolean", "true", True),
        ("string", "'it'", "it"),
        ("string", '"a\\n\\u00e9"', "a\né"),
        ("string", "word", "word"),
        ("array<integer>", "[1, 2]", (1, 2)),
        ("array", "[]", ()),
        ("array<array<string>>", '[["a"], []]', (("a",), ())),
        ("object", "{}", {}),
        ("object", '{a: 1, "b c": [true]}', {"a": 1, "b c": (True,)}),
        ("any", "null", None),
        ("a|b", "b", "b"),
    ],
)
def test_a_default_is_a_value_and_makes_an_input_optional(type_, written, default):
    parameter = parse_signature(f"(a: {type_} = {written})").inputs[0]
    assert (parameter.default, type(parameter.default)) == (default, type(default))
    assert not parameter.required


@pytest.mark.parametrize(
    ("text", "message", "help", "part"),
    [
        ("", "empty", "(a: number)", ""),
        ("   ", "empty", "(a: number)", "   "),
        ("a: number", 'begins with "a"', "in parentheses", "a"),
        ("add(a) -> b", 'begins with "add"', "leave the name out", "add"),
        ("(a: number", 'ends where ")"', 'write ")"', ""),
        ("(a: number -> b", '"->" stands where', ")", "->"),
        ("(a b)", '"b" stands where', "write", "b"),
        ("(a: string[])", '"[" stands where', "array<string>", "["),
        ("(user-id: string)", '"user-id" is no name', "user_id", "user-id"),
        ("(é: int)", '"é"', "a name", "é"),
        ("(a: strng)", 'no type "strng"', '"string"', "strng"),
        ("(a: Date)", 'no type "Date"', "use one of", "Date"),
        ("(a: String)", 'no type "String"', '"string"', "String"),
        ("(a: object<string>)", '"object" takes no type', '"object"', "object<string>"),
        ("(a: array<strng>)", 'no type "strng"', '"string"', "strng"),
        ("(a: array<string>|1)", "mixes types and values", "either", "1"),
        ("() -> string", "the output has no name", "{result: string}", "string"),
        ("() -> array<int>", '"<" stands where', "name the output", "<"),
        ("() -> {a: int", 'ends where "}"', 'write "}"', ""),
        ("() ->", "ends where", "a name", ""),
        ("() -> {a: int = 1}", 'output "a" has a default', "drop", "1"),
        ("(a: integer = 'x')", "not of type integer", "change", "'x'"),
        ("(a: integer = 1.5)", "not of type integer", "change", "1.5"),
        ("(a: boolean = 1)", "not of type boolean", "change", "1"),
        ("(a: array<string> = [1])", "not of type array<string>", "change", "[1]"),
        ("(a: x|y = z)", "not x or y", "change", "z"),
        ("(a: int) extra", '"extra" stands where', "write", "extra"),
        ("(a: int; b: int)", '";"', "write", ";"),
        ("(a: 'x)", '"\'"', "", "'"),
        ("(" * 200, "deeper than 100", "flatten", "("),
        ("(a: " + "array<" * 150 + "int" + ">" * 150 + ")", "deeper than 100", "flatten", "<"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_remedy(text, message, help, part):
    problem = parse_signature(text)
    assert isinstance(problem, Problem), problem
    assert message in problem.message
    assert help in problem.help
    assert text[problem.span.start : problem.span.end] == part
    for name in ("WORD", "LESS", "COMMA", "Token", "EQUAL", "$END", "NAME"):
        assert name not in problem.message + problem.help


def test_everything_that_is_wrong_is_found_at_once():
    signature, problems = read_signature("(a: strng, b: Date, c: integer = 'x') -> {d: int = 1}")
    assert [type(problem) is UnknownType for problem in problems] == [True, True, False, False]
    assert shape(signature.inputs) == [("a", "any"), ("b", "any"), ("c", "integer?")]
    assert [problem.span.start for problem in problems] == sorted(problem.span.start for problem in problems)


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_every_type_has_its_name(name):
    assert parse_type(name) == FieldType(name)
    assert parse_type(f"array<{name}>") == FieldType("array", FieldType(name))


@pytest.mark.parametrize("alias", TYPE_ALIASES)
def test_aliases_mean_the_canonical_type(alias):
    assert parse_type(alias) == FieldType(TYPE_ALIASES[alias])


@pytest.mark.parametrize(
    "text", ["", "foo", "array<", "array<foo>", "string|integer", "object<string>", "array<int>>", "array<" * 200, "1"]
)
def test_other_types_are_none(text):
    assert parse_type(text) is None


_PIECES = st.sampled_from(
    [
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "a",
        "b?",
        ": ",
        "string",
        "array<",
        ">",
        ", ",
        " = ",
        "1",
        "-2.5",
        "'x'",
        '"',
        "|",
        "->",
        " ",
        "true",
        "é",
        "-",
    ]
)


@given(st.one_of(st.lists(_PIECES, max_size=20).map("".join), st.text(max_size=40)))
def test_any_text_is_a_signature_or_a_problem(text):
    signature, problems = read_signature(text)
    assert signature is not None or problems
    for problem in problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert problem.help


_TYPES = st.recursive(
    st.sampled_from([FieldType(name) for name in TYPE_NAMES]),
    lambda inner: inner.map(lambda item: FieldType("array", item)),
    max_leaves=3,
)


@given(_TYPES)
def test_a_type_is_read_back_from_its_text(type_):
    assert parse_type(str(type_)) == type_
