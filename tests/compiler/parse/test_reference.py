"""References, paths, versions and ranges: what is accepted, as what, and what is said of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark.exceptions import UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import built, lark_parser
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reference import (
    BUILD,
    form_by_grammar,
    form_by_pattern,
    parse_path,
    parse_range,
    parse_reference,
    parse_requirement,
    parse_version,
    reference_problem,
)
from agentic_dsl.paths import SEGMENT, Path, ReferenceKind, Version, VersionRange
from agentic_dsl.span import Span

PATH, ID, SELF = ReferenceKind.PATH, ReferenceKind.ID, ReferenceKind.SELF
TEMPLATE, ALL, INVALID = ReferenceKind.TEMPLATE, ReferenceKind.ALL, ReferenceKind.INVALID


@pytest.mark.parametrize(
    ("text", "kind", "path", "version"),
    [
        ("/main", PATH, "/main", None),
        ("/main/plan/fetch", PATH, "/main/plan/fetch", None),
        ("/__system__/end_soft", PATH, "/__system__/end_soft", None),
        ("/end", PATH, "/end", None),
        ("/a-b/C_1/007", PATH, "/a-b/C_1/007", None),
        ("/lib/math/add@v1", PATH, "/lib/math/add", "1"),
        ("/lib/math/add@v1.2", PATH, "/lib/math/add", "1.2"),
        ("/lib/math/add@v1.2.3", PATH, "/lib/math/add", "1.2.3"),
        ("/lib/x@v0", PATH, "/lib/x", "0"),
        ("fetch", ID, None, None),
        ("fetch-2", ID, None, None),
        ("7", ID, None, None),
        ("self", ID, None, None),
        ("/self/repair", SELF, "/repair", None),
        ("/self/a/b", SELF, "/a/b", None),
        ("@all", ALL, None, None),
        ("{{ target }}", TEMPLATE, None, None),
        ("/main/{{ name }}", TEMPLATE, None, None),
        ("{{ broken", TEMPLATE, None, None),
        ("{% if a %}/x{% endif %}", TEMPLATE, None, None),
        ("/lib/{{ name }}@v1?x=1", TEMPLATE, None, None),
        ("", INVALID, None, None),
        ("/", INVALID, None, None),
        ("//a", INVALID, None, None),
        ("/a/", INVALID, None, None),
        ("/a b", INVALID, None, None),
        (" /a", INVALID, None, None),
        ("/a\n", INVALID, None, None),
        ("a/b", INVALID, None, None),
        ("./a", INVALID, None, None),
        ("/é", INVALID, None, None),
        ("/a/٣", INVALID, None, None),
        ("/self", INVALID, None, None),
        ("/self/x@v1", INVALID, None, None),
        ("/self/x?a=1", INVALID, None, None),
        ("/main/x@v1", INVALID, None, None),
        ("fetch@v1", INVALID, None, None),
        ("/lib/x@1", INVALID, None, None),
        ("/lib/x@v", INVALID, None, None),
        ("/lib/x@v1.", INVALID, None, None),
        ("/lib/x@v1.2.3.4", INVALID, None, None),
        ("/lib/x@v20251121093000", PATH, "/lib/x", "20251121093000"),
        ("/lib/x@v" + "1" * 19, INVALID, None, None),
        ("/lib/x@v1/y", INVALID, None, None),
        ("/lib/x@^1.0", INVALID, None, None),
        ("@some", INVALID, None, None),
    ],
)
def test_a_reference_has_one_of_the_forms(text, kind, path, version):
    reference = parse_reference(text, Span(3, 3 + len(text)))
    assert (reference.text, reference.kind, reference.span) == (text, kind, Span(3, 3 + len(text)))
    assert (str(reference.path) if reference.path else None) == path
    assert (str(reference.version) if reference.version else None) == version
    assert reference.query == ()


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("a=1", (("a", "1"),)),
        ("a=1&b=two", (("a", "1"), ("b", "two"))),
        ("a=", (("a", ""),)),
        ("a=x%20y%2Fz", (("a", "x y/z"),)),
        ("a=%C3%A9", (("a", "é"),)),
        ("a=%FF%fe", (("a", "\ufffd\ufffd"),)),
        ("a=1+1", (("a", "1+1"),)),
        ("a=b=c", (("a", "b=c"),)),
        ("a%20b=1", (("a b", "1"),)),
        ("a={{ x }}", (("a", "{{ x }}"),)),
        ("a={{ x }}&b={{ y.z[0] }}", (("a", "{{ x }}"), ("b", "{{ y.z[0] }}"))),
        ('a={{ default(x, "&}}=") }}&b=1', (("a", '{{ default(x, "&}}=") }}'), ("b", "1"))),
    ],
)
def test_a_query_gives_the_inputs_of_a_call(query, pairs):
    reference = parse_reference(f"/lib/x@v1?{query}")
    assert reference.kind is PATH
    assert reference.query == pairs
    assert all(type(text) is str for pair in reference.query for text in pair)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "a",
        "=1",
        "a=1&",
        "&a=1",
        "a=x y",
        "a=1#b",
        "a=%zz",
        "a=b{{ x }}",
        "a={{ x }}b",
        "a={{ x",
        "{{ x }}",
        "a={b}",
    ],
)
def test_a_query_of_another_form_makes_the_reference_invalid(query):
    text = f"/lib/x@v1?{query}"
    assert parse_reference(text).kind is INVALID
    assert reference_problem(text).help


@pytest.mark.parametrize(
    ("text", "message", "help", "part"),
    [
        ("/main/x@v1", "only libraries have versions", "drop", "@v1"),
        ("/self", "names nothing", '"/self/"', "/self"),
        ("/self/x@v1", "which only libraries take", "drop", "/self/x@v1"),
        ("/a/", "its end stands where a name", "full path", ""),
        ("/a b", '" "', "full path", " "),
        ("/lib/x@v1/y", '"/" stands where', "last segment", "/"),
        ("/lib/x@1", '"@" stands where', "last segment", "@"),
        ("/lib/x?a=%zz", '"%" stands where', "URL-encoded", "%"),
        ("", "its end stands where", "full path", ""),
        ("a" * 500 + "?", "…", "full path", "?"),
    ],
)
def test_the_reason_of_an_invalid_reference_names_the_offender(text, message, help, part):
    problem = reference_problem(text)
    assert message in problem.message
    assert help in problem.help
    assert text[problem.span.start : problem.span.end] == part
    assert len(problem.message) < 300
    assert not re.search(r"\b[A-Z]{3,}(_[A-Z]+)*\b", problem.message.replace("URL", "").replace("UTF", ""))


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("/lib/reasoning/x@^1.0", "/lib/reasoning/x", VersionRange("^", Version((1, 0)))),
        ("/lib/x@~1.2.3", "/lib/x", VersionRange("~", Version((1, 2, 3)))),
        ("/lib/x@1.2", "/lib/x", VersionRange("", Version((1, 2)))),
        ("/lib/x@v2", "/lib/x", VersionRange("", Version((2,)))),
        ("/lib/x", "/lib/x", None),
    ],
)
def test_a_requirement_is_a_library_and_a_range(text, path, wanted):
    found = parse_requirement(text)
    assert found == (parse_path(path), wanted)


@pytest.mark.parametrize(
    "text", ["", "x", "/main/x@^1", "/lib/x@", "/lib/x@>=1", "/lib/x@^v1", "/lib/x@^1.x", "/lib/x@*", "/lib/x?a=1"]
)
def test_other_requirements_are_problems(text):
    problem = parse_requirement(text)
    assert isinstance(problem, Problem)
    assert problem.message
    assert problem.help
    assert 0 <= problem.span.start <= problem.span.end <= len(text)


@pytest.mark.parametrize(
    ("text", "parts"), [("1", (1,)), ("1.2", (1, 2)), ("1.2.3", (1, 2, 3)), ("v1", (1,)), ("0.0.1", (0, 0, 1))]
)
def test_versions_have_one_to_three_components(text, parts):
    assert parse_version(text) == Version(parts)


@pytest.mark.parametrize("text", ["", "v", "1.", "1.2.3.4", "^1", "1-beta", "1.x", "٣", "1" * 5000, "1\n"])
def test_other_versions_are_none(text):
    assert parse_version(text) is None
    assert parse_range(f"^{text}") is None


@pytest.mark.parametrize("text", ["", "a", "/", "/a/", "/a@v1", "/a?b=1", "/a b", "{{ x }}", "/a\n"])
def test_other_paths_are_none(text):
    assert parse_path(text) is None


def test_a_path_may_be_in_any_namespace():
    assert [str(parse_path(text)) for text in ("/self/x", "/self", "/__meta__", "/lib/a-b")] == [
        "/self/x",
        "/self",
        "/__meta__",
        "/lib/a-b",
    ]


def test_the_grammar_has_the_segment_of_the_core():
    terminals = {terminal.name: terminal.pattern.value for terminal in lark_parser("path", start="reference").terminals}
    assert terminals["SEGMENT"] == SEGMENT.pattern


_PIECES = st.sampled_from(
    [
        "/",
        "a",
        "b-1",
        "lib",
        "self",
        "main",
        "@",
        "@v",
        "@all",
        "1",
        ".",
        "2.3",
        "^",
        "~",
        "?",
        "=",
        "&",
        "%20",
        "%",
        "é",
        " ",
        "{{ x }}",
    ]
)
_TEXTS = st.one_of(
    st.lists(_PIECES, max_size=10).map("".join),
    st.from_regex(r"(/(lib|main|self|a)){1,3}(@v[0-9](\.[0-9]){0,2})?", fullmatch=True),
    st.from_regex(
        r"""/lib/a(@v1)?\?([a_]{0,2}=([a=?+"'é]{0,2}|%2B|\{\{[ a&=?'"}]{0,4}\}\})&?){0,3}[ #&]?""", fullmatch=True
    ),
)


@given(_TEXTS)
def test_the_fast_reading_of_references_is_the_full_one(text):
    fast = form_by_pattern(text)
    if fast is not None:
        assert fast == form_by_grammar(text)


@given(st.lists(_PIECES, max_size=6).map("".join))
def test_versions_ranges_and_paths_are_those_of_the_grammar(text):
    def by_grammar(start):
        try:
            return built("path", text, BUILD, start=start)
        except UnexpectedInput:
            return None

    assert parse_path(text) == by_grammar("path")
    assert parse_range(text) == by_grammar("range")
    if parse_version(text) is not None:
        assert parse_version(text) == by_grammar("version")


@given(st.text())
def test_any_text_is_read_without_failing(text):
    reference = parse_reference(text)
    if reference.kind is INVALID:
        problem = reference_problem(text)
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
    assert isinstance(parse_requirement(text), Problem | tuple)
    path = parse_path(text)
    assert path is None or (isinstance(path, Path) and str(path) == text)
