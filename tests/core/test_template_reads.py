"""The names that a template reads."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.template import parse_template
from agentic_dsl.template import Template, reads


def names(text: str) -> list[tuple[str, tuple[str | int, ...], bool]]:
    template = parse_template(text)
    assert isinstance(template, Template), template
    return [(read.name, read.fields, read.guarded) for read in reads(template)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ x }}", [("x", (), False)]),
        ("{{ $.x }}", [("x", (), False)]),
        ("{{ inputs.x.y }}", [("x", ("y",), False)]),
        ("{{ $.inputs.x }}", [("x", (), False)]),
        ("{{ inputs }}", [("inputs", (), False)]),
        ("{{ $.user.names[0].first }}", [("user", ("names", 0, "first"), False)]),
        ('{{ $["x"].y }}', [("x", ("y",), False)]),
        ("{{ a[b].c }}", [("b", (), False), ("a", (), False)]),
        ("{{ $.now }} {{ now }}", []),
        ("{{ $ }}", []),
        ("{{ default(x, y) }}", [("x", (), True), ("y", (), False)]),
        ("{{ exists(x) }}", [("x", (), True)]),
        ('{{ exists("x") }}', []),
        ("{{ x | default(y) }}", [("x", (), True), ("y", (), False)]),
        ("{{ length(xs) > n }}", [("xs", (), False), ("n", (), False)]),
        ("{{ not a and -b in [c, 1] }}", [("a", (), False), ("b", (), False), ("c", (), False)]),
        ('{{ {"k": v} }}', [("v", (), False)]),
        ("{% if a %}{{ b }}{% else if c %}x{% else %}{{ d }}{% endif %}", [(n, (), False) for n in "abcd"]),
        ("{% for x in xs %}{{ x }}{{ loop.index }}{{ y }}{% endfor %}", [("xs", (), False), ("y", (), False)]),
        ("{% for k, v in xs %}{{ k }}{{ v }}{% endfor %}{{ k }}", [("xs", (), False), ("k", (), False)]),
        ("{% set x = a %}{{ x }}{{ b }}", [("a", (), False), ("b", (), False)]),
        ("{# {{ x }} #}{{ y }}", [("y", (), False)]),
        ("{{ 1 }} and {{ true }}", []),
    ],
)
def test_reads_are_the_context_names_in_order(
    text: str, expected: list[tuple[str, tuple[str | int, ...], bool]]
) -> None:
    assert names(text) == expected


def test_a_read_stands_where_its_expression_does() -> None:
    text = "Hi {{ user.name }}!"
    template = parse_template(text)
    assert isinstance(template, Template)
    [read] = reads(template)
    assert text[read.span.start : read.span.end] == "user.name"


@pytest.mark.parametrize(("text", "whole"), [("{{ x }}", True), ("{{ x }} ", False), ("{% if x %}{% endif %}", False)])
def test_a_template_is_whole_when_it_is_one_output(text: str, whole: bool) -> None:
    template = parse_template(text)
    assert isinstance(template, Template)
    assert template.is_whole is whole
