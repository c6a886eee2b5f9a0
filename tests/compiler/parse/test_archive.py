"""``on_success: archive_to("<path>")``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.archive import parse_archive
from agentic_dsl.compiler.parse.problem import Problem


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('archive_to("/lib/solved/x@v1")', "/lib/solved/x@v1"),
        ("archive_to('/lib/solved/x@v1.2')", "/lib/solved/x@v1.2"),
        ('archive_to("/main/archive")', "/main/archive"),
        (' archive_to ( "/a/b" ) ', "/a/b"),
        ('archive_to("/lib/solved/{{ problem_type }}@v1")', "/lib/solved/{{ problem_type }}@v1"),
        ("archive_to('/lib/{{ default(x, \"y\") }}')", '/lib/{{ default(x, "y") }}'),
    ],
)
def test_the_path_is_what_stands_in_quotes(text, path):
    assert parse_archive(text) == path


@pytest.mark.parametrize(
    ("text", "message", "part"),
    [
        ("", "not of the form", ""),
        ("/lib/x", "not of the form", "/lib/x"),
        ("archive", "not of the form", "archive"),
        ("archive_to(/lib/x)", "not of the form", "archive_to(/lib/x)"),
        ('archive_to("/lib/x"', "not of the form", 'archive_to("/lib/x"'),
        ('archive_to("/lib/x") now', "not of the form", 'archive_to("/lib/x") now'),
        ('archive_to("/lib/x)', "not of the form", 'archive_to("/lib/x)'),
        ('archive_to("x")', "no path to archive to", "x"),
        ('archive_to("/self/x")', "no path to archive to", "/self/x"),
        ('archive_to("/lib/x?a=1")', "no path to archive to", "/lib/x?a=1"),
        ('archive_to("/main/x@v1")', "only libraries have versions", "@v1"),
        ('archive_to("/lib/x y")', '" "', " "),
        ('archive_to("")', "its end stands", ""),
        ('archive_to("/lib/{{ x }")', 'closed by "}"', "}"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text, message, part):
    problem = parse_archive(text)
    assert isinstance(problem, Problem), problem
    assert message in problem.message
    assert problem.help
    assert text[problem.span.start : problem.span.end] == part
    assert "CALL" not in problem.message


def test_a_forbidden_template_in_the_path_is_forbidden():
    problem = parse_archive("archive_to(\"/lib/{{ env('HOME') }}\")")
    assert isinstance(problem, Problem)
    assert problem.forbidden


_PIECES = st.sampled_from(["archive_to", "(", ")", '"', "'", "/lib", "/x", "@v1", "{{ a }}", " ", "\\"])


@given(st.one_of(st.lists(_PIECES, max_size=9).map("".join), st.text(max_size=30)))
def test_any_text_is_a_path_or_a_problem(text):
    found = parse_archive(text)
    if isinstance(found, Problem):
        assert 0 <= found.span.start <= found.span.end <= len(text)
    else:
        assert found.startswith("/") or "{{" in found or "{%" in found
