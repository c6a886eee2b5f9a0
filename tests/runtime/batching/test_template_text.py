"""Templates filled in with the values of a context, and what is said where that cannot be done."""

from __future__ import annotations

import pytest

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.batching.template_text import MAX_CHARACTERS, fill_in
from agentic_dsl.signature import Data

CONTEXT: dict[str, Data] = {
    "name": "Ada",
    "n": 3,
    "half": 0.5,
    "yes": True,
    "nothing": None,
    "words": ("b", "a"),
    "user": {"name": "Äda", "tags": ("x", "y"), "0": "zero"},
    "inner": ({"v": 1}, {"v": 2}),
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no template", "no template"),
        ("{ not } one {", "{ not } one {"),
        ("Hi {{ name }}, {{ $.name }}, {{ inputs.name }}, {{ $.inputs.name }}!", "Hi Ada, Ada, Ada, Ada!"),
        ("{{ n }} {{ half }} {{ yes }} [{{ nothing }}]", "3 0.5 true []"),
        ("{{ words }} {{ user.tags }} {{ inner }}", '["b","a"] ["x","y"] [{"v":1},{"v":2}]'),
        ("{{ user }}", '{"name":"Äda","tags":["x","y"],"0":"zero"}'),
        ("{{ user.name }} {{ user.tags[1] }} {{ user.tags.0 }} {{ user[0] }} {{ inner[1].v }}", "Äda y x zero 2"),
        ('{{ user["na" + "me"] }}', "Äda"),
        ('{{ default(gone, "x") }} {{ default(user.gone, n) }} {{ default(name, "x") }}', "x 3 Ada"),
        ('{{ exists("name") }} {{ exists("gone") }} {{ exists(user.tags) }} {{ exists(user.no) }}', "true false " * 2),
        ("{{ length(words) }} {{ length(name) }} {{ upper(name) }} {{ name | lower }}", "2 3 ADA ada"),
        ('{{ words | sort | join("-") }} {{ first(words) }} {{ last(words) }}', "a-b b a"),
        ("{{ 1 + 2 * 3 }} {{ 7 % 4 }} {{ -n }} {{ 2 ^ 3 }} {{ 3 - 1 }}", "7 3 -3 8.0 2"),
        ('{{ n > 2 }} {{ n == 3 and not yes }} {{ "a" in words }} {{ "z" not in words }}', "true false true true"),
        ("{{ no and gone or yes }}", None),
        ("{% if n > 5 %}many{% else if n > 2 %}some{% else %}few{% endif %}", "some"),
        ("{% if false %}{{ gone }}{% endif %}{# {{ gone }} #}", ""),
        ("{% for w in words %}{{ loop.index1 }}{{ w }}{% if not loop.is_last %}, {% endif %}{% endfor %}", "1b, 2a"),
        ("{% for k, v in inner[0] %}{{ k }}={{ v }}{% endfor %}", "v=1"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% set total = n * 2 %}{{ total }}", "6"),
        ('{{ [1, n] }} {{ {"a": name} }}', '[1,3] {"a":"Ada"}'),
        ('{{ round(half * 5, 1) }} {{ int("4") }} {{ min([3, 1]) }} {{ max([3, 1]) }}', "2.5 4 1 3"),
        ("{{ true || gone }} {{ false && gone }}", "true false"),
    ],
)
def test_templates_are_filled_in_as_inja_does(template: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(UsageError):
            fill_in(template, CONTEXT)
        return
    assert fill_in(template, CONTEXT).strip() == text.strip()


@pytest.mark.parametrize(
    ("template", "missing"),
    [("{{ gone }}", "gone"), ("{{ $.gone.x }}", "gone"), ("{{ user.gone }}", "gone"), ("{{ words[2] }}", "2")],
)
def test_a_value_that_is_not_there_is_named(template: str, missing: str) -> None:
    with pytest.raises(UsageError) as failure:
        fill_in(template, CONTEXT)
    assert failure.value.message == f'the context has no value for "{missing}"'
    assert failure.value.help


@pytest.mark.parametrize(
    "template",
    [
        "{{ name",
        "{% include 'x' %}",
        '{{ env("HOME") }}',
        "{{ n + name }}",
        "{{ 1 / 0 }}",
        "{{ 1 % 0 }}",
        "{{ nofunction(n) }}",
        "{{ upper(n) }}",
        "{{ upper() }}",
        "{{ sort([1, name]) }}",
        "{{ first([]) }}",
        "{{ name < n }}",
        "{{ default(gone) }}",
        "{% for x in name %}{% endfor %}",
        "{{ 9 ^ 9 ^ 9 }}",
        "{{ range(999999999) }}",
        "{{ 9223372036854775807 * 2 }}",
        "{% for i in range(1000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}",
        '{% set x = "xxxxxxxxxx" %}' + "{% set x = x + x %}" * 20 + "{{ x }}",
        "{% set x = range(100000) %}" + "{{ x }}" * 3,
        "{{ [" * 300 + "1" + "] }}" * 300,
    ],
)
def test_what_cannot_be_filled_in_is_a_clear_error_within_the_bounds(template: str) -> None:
    with pytest.raises(UsageError) as failure:
        fill_in(template, CONTEXT)
    assert len(failure.value.message) < 300
    assert "Traceback" not in failure.value.message


def test_a_long_text_is_filled_in_up_to_the_bound() -> None:
    half = "x" * (MAX_CHARACTERS // 2)
    assert len(fill_in("{{ t }}{{ t }}", {"t": half})) == MAX_CHARACTERS
    with pytest.raises(UsageError, match="grows beyond"):
        fill_in("{{ t }}{{ t }}!", {"t": half})
