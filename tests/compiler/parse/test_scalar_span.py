"""From offsets in a scalar's text to the document: held against libyaml's own reading."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.character_map import character_map
from agentic_dsl.compiler.parse.scalar_span import span_in_scalar, text_of_scalar
from agentic_dsl.span import Source, Span


def scalars(document: str) -> list[tuple[Span, str]]:
    """Where libyaml sees the scalars of a document, and what it takes them for."""
    return [
        (Span(event.start_mark.index, event.end_mark.index), event.value)
        for event in yaml.parse(document, Loader=yaml.CLoader)
        if isinstance(event, yaml.ScalarEvent)
    ]


def check_all(document: str) -> None:
    """Every character of every scalar is mapped to what makes it, in order, and to nothing else's source."""
    source = Source(document)
    for scalar, value in scalars(document):
        places = [span_in_scalar(source, scalar, Span(at, at + 1)) for at in range(len(value))]
        for char, place in zip(value, places, strict=True):
            assert scalar.start <= place.start < place.end <= scalar.end
            assert makes(document[place.start : place.end], char)
        for left, right in pairwise(places):
            assert left.end <= right.start
        if value:
            whole = span_in_scalar(source, scalar, Span(0, len(value)))
            assert (whole.start, whole.end) == (places[0].start, places[-1].end)


def makes(written: str, char: str) -> bool:
    """Whether a piece of YAML makes a character, by means that the code under test does not have."""
    if written == char:
        return True
    if written in ("\n", "\r\n", "\r"):
        return char in " \n"
    if written == "''":
        return char == "'"
    return written.startswith("\\") and yaml.load(f'"{written}"', Loader=yaml.CSafeLoader) == char


def part(document: str, text: str, *, scalar: int = -1) -> str:
    """What stands in the document where ``text`` stands in a scalar's text."""
    place, value = scalars(document)[scalar]
    at = value.index(text)
    found = span_in_scalar(Source(document), place, Span(at, at + len(text)))
    return document[found.start : found.end]


@pytest.mark.parametrize(
    ("document", "text", "written"),
    [
        ("k: hello {{ x }} there", "{{ x }}", "{{ x }}"),
        ("k: 'hello {{ x }} there'", "{{ x }}", "{{ x }}"),
        ("k: 'it''s {{ x }}'", "{{ x }}", "{{ x }}"),
        ("k: 'it''s'", "t's", "t''s"),
        ('k: "a\\tb {{ x }}"', "{{ x }}", "{{ x }}"),
        ('k: "a\\tb"', "\t", "\\t"),
        ('k: "\\x41\\u00e9\\U0001F600{{ x }}"', "{{ x }}", "{{ x }}"),
        ('k: "\\x41\\u00e9\\U0001F600"', "é", "\\u00e9"),
        ('k: "\\x41\\u00e9\\U0001F600"', "😀", "\\U0001F600"),
        ('k: "{{ f(\\"a\\") }}"', 'f("a")', 'f(\\"a\\")'),
        ('k: "one\\\n    two {{ x }}"', "{{ x }}", "{{ x }}"),
        ('k: "one\\\n    two"', "onetwo", "one\\\n    two"),
        ('k: "one\n  two {{ x }}"', "{{ x }}", "{{ x }}"),
        ("k: one\n  two {{ x }}\n", "{{ x }}", "{{ x }}"),
        ("k: one\n  two\n", "one two", "one\n  two"),
        ("k: one   \n\n\n   two\n", "e\n\nt", "e   \n\n\n   t"),
        ("k: 'one  \n  two'", "e t", "e  \n  t"),
        ("k: |\n  one\n  {{ x }}\n", "{{ x }}", "{{ x }}"),
        ("k: |\n  one\n  two\n", "e\nt", "e\n  t"),
        ("k: |2\n    one\n  {{ x }}\n", "{{ x }}", "{{ x }}"),
        ("a:\n  - - k: |1-\n        one\n       two {{ x }}\n", "{{ x }}", "{{ x }}"),
        ("a:\n- |2\n    one\n  {{ x }}\n", "{{ x }}", "{{ x }}"),
        ("k: >-\n  one\n  {{ x }}\n\n  two\n", "{{ x }}", "{{ x }}"),
        ("k: >\n  one\n  two\n\n  three\n", "one two\nthree", "one\n  two\n\n  three"),
        ("k: >\n  one\n    two\n  three\n", "\n  two\nthr", "\n    two\n  thr"),
        ("k: |+ # note\n  one\n\n\n", "e\n\n\n", "e\n\n\n"),
        ("k: |\n\n  one\n", "\none", "\n  one"),
        ("k: |\r\n  one\r\n  {{ x }}\r\n", "{{ x }}", "{{ x }}"),
        ("k: 'one\r\n  {{ x }}'\r\n", "{{ x }}", "{{ x }}"),
        ("k: &a 'it''s {{ x }}'", "{{ x }}", "{{ x }}"),
        ("k: !!str 'it''s {{ x }}'", "{{ x }}", "{{ x }}"),
        ('["a", "b\\n{{ x }}"]', "{{ x }}", "{{ x }}"),
    ],
)
def test_a_part_is_found_where_it_is_written(document, text, written):
    assert part(document, text) == written


def test_an_empty_part_stands_between_its_neighbours():
    document = 'k: "a\\tb"'
    (scalar, _) = scalars(document)[-1]
    places = [span_in_scalar(Source(document), scalar, Span(at, at)) for at in range(5)]
    assert places == [Span(4, 4), Span(5, 5), Span(7, 7), Span(8, 8), Span(8, 8)]


@pytest.mark.parametrize("document", ["k: abc", "k: 'abc'", 'k: "a\\x62c"', "k: |\n  abc\n", "k: ''", "k: |\n"])
def test_offsets_outside_of_the_text_are_clamped(document):
    scalar, value = scalars(document)[-1]
    found = span_in_scalar(Source(document), scalar, Span(-5, len(value) + 50))
    assert scalar.start <= found.start <= found.end <= scalar.end


@pytest.mark.parametrize(
    "raw",
    [
        '"',
        "'",
        '"abc',
        "'abc",
        '"a\\',
        '"\\n',
        '"\\x4',
        '"\\xzz"',
        '"\\UFFFFFFFF"',
        "|",
        ">",
        "|x",
        "",
        "\n",
        "|2",
        "|\n",
    ],
)
def test_what_is_no_whole_scalar_fails_neither(raw):
    assert span_in_scalar(Source(raw), Span(0, len(raw)), Span(0, 1)).end <= len(raw)
    assert len(character_map(raw).text) == len(character_map(raw).starts)


_CHARACTERS = st.sampled_from(
    [*"ab'\"\\:#-|>{}% \t\n", "  ", "\n\n", "é", "😀", "\x01", "\x7f", "\x0b", "{{ x }}", ": ", " #"]
)
_STRINGS = st.lists(_CHARACTERS, max_size=16).map("".join)
_SHAPES = st.sampled_from(
    [
        lambda s: s,
        lambda s: {"k": s},
        lambda s: [s],
        lambda s: {"a": {"b": [s, {"c": [[s]]}]}},
        lambda s: [{"k": s, "l": "x"}],
    ]
)


@given(
    _STRINGS,
    _SHAPES,
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.sampled_from([4, 10, 80]),
    st.sampled_from([yaml.Dumper, yaml.CDumper]),
    st.booleans(),
)
def test_every_character_of_a_dumped_string_is_found(text, shape, style, width, dumper, unicode):
    document = yaml.dump(shape(text), Dumper=dumper, default_style=style, width=width, allow_unicode=unicode)
    check_all(document)


_RAW = st.lists(
    st.sampled_from(
        [
            "a",
            "bc",
            " ",
            "  ",
            "\t",
            "\n",
            "\n ",
            "\n  ",
            "\n   ",
            "\r\n  ",
            "\n\n  ",
            "''",
            "\\n",
            "\\\n",
            "\\x41",
            "\\u00e9",
            '\\"',
            "é",
            "{{ x }}",
            "#",
            ":",
        ]
    ),
    max_size=12,
).map("".join)
_BLOCK = st.sampled_from(["|", ">", "|-", ">-", "|+", ">+", "|2", ">1", "|2-", ">+1", "| # c"])


@given(
    st.one_of(
        _RAW.map(lambda raw: f"'{raw}'"),
        _RAW.map(lambda raw: f'"{raw}"'),
        _RAW,
        st.builds("{}\n  {}".format, _BLOCK, _RAW),
    ),
    st.sampled_from(["k: ", "- ", "- k: ", "- - ", "a:\n  k: ", "a:\n  - - k: ", ""]),
    st.sampled_from(["", "\n", "\nz: 1\n"]),
)
def test_every_character_of_a_written_scalar_is_found(raw, before, after):
    document = before + raw + after
    try:
        found = scalars(document)
    except yaml.YAMLError:
        assume(False)
        return
    assume(found)
    # libyaml strips a tab before a comment and the like as we do; what it refuses is not ours to map.
    assume(not re.search(r"[\x85\u2028\u2029]", document))
    check_all(document)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("'it''s'", "it's"),
        (r'"a\tb"', "a\tb"),
        ("&name 'x'", "x"),
        ('"a\n  b"', "a b"),
    ],
)
def test_the_text_of_a_scalar_is_what_yaml_gives(raw, text):
    source = Source(f"key: {raw}")
    assert text_of_scalar(source, Span(5, 5 + len(raw))) == text
