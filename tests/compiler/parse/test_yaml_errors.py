from __future__ import annotations

import re

import pytest

from agentic_dsl.compiler.parse import yaml_body, yaml_errors
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_pure import PureParser

BROKEN = [
    ('a: "x\n', "a quoted text is never closed", '"'),
    ("a: 'x\n---\n'\n", "a quoted text runs into", "'"),
    ("a: b: c\n", 'a ":" stands where no key can be', ":"),
    ("a: 1\nbcd\n", 'a key is not followed by ":"', "b"),
    ("a: - b\n", 'a list item "-" cannot stand here', "-"),
    ("a: ? b\n", "a key cannot begin here", "?"),
    ("a: @x\n", 'a value cannot begin with "@"', "@"),
    ("a: `x`\n", 'a value cannot begin with "`"', "`"),
    ("a: %x\n", 'a value cannot begin with "%"', "%"),
    ("a:\n\tb: 1\n", "a tab is used where spaces indent", "\t"),
    ('a: "\\q"\n', "an escape in double quotes is unknown", "\\"),
    ('a: "\\x1"\n', "an escape lacks its hexadecimal digits", "1"),
    ('a: "\\UFFFFFFFF"\n', "an escape names no character", None),
    ("a: |0\n  x\n", 'the digit after "|"', "0"),
    ("a: | x\n  y\n", 'text follows "|"', "x"),
    ("a: [1, 2\n", 'a list that opens with "["', "["),
    ("a: {b: 1\n", 'a mapping that opens with "{"', "{"),
    ("a: [1 2: 3: 4]\n", None, None),
    ("a: 'x' y\n", "this does not continue the lines above it", "y"),
    ("- a\nb: c\n", "this line is no item of the list above it", "b"),
    ("a: ]\n", "a value is missing here", "]"),
    ("a: **x**\n", 'a value begins with "&" or "*"', "*"),
    ("a: !<x\n", "a YAML tag cannot be read", None),
    ("a: !x!y z\n", "a YAML tag cannot be read", None),
    ("%YAML 9.1\n---\na: 1\n", "a YAML directive asks for another version", None),
    ("%YAML x\n---\na: 1\n", "a YAML directive cannot be read", None),
    ("a: 1\n...\n]\n", None, None),
    ("a: {{ x }} y\n", "a template stands without quotes", "{"),
    ("a:\n  - {% if x %}\n", "a template stands without quotes", "{"),
]


@pytest.mark.parametrize(("text", "message", "at"), BROKEN, ids=[repr(text) for text, _, _ in BROKEN])
def test_a_syntax_error_is_told_in_our_words_at_its_place(text: str, message: str | None, at: str | None) -> None:
    root, findings, comments = read_yaml(text, 7)
    finding = findings[-1]
    assert root is None
    assert comments == []
    assert finding.code == "ADL101"
    assert finding.help
    if message is not None:
        assert finding.message.startswith(message)
    if at is not None:
        assert text[finding.span.start - 7] == at


@pytest.mark.parametrize("text", [text for text, _, _ in BROKEN])
def test_the_pure_reader_finds_errors_too(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_body, "EventParser", PureParser)
    root, findings, _ = read_yaml(text, 0)
    # A few texts are errors to libyaml alone.
    if root is None:
        assert findings[-1].code == "ADL101"
        assert not re.search(r"while (scanning|parsing)|expected <|but found|token", findings[-1].message)


def test_an_unknown_sentence_of_the_reader_has_words_too() -> None:
    assert yaml_errors._find("something new") is yaml_errors._OTHER


def test_every_row_of_the_table_can_win() -> None:
    rows = yaml_errors._TABLE
    shadowed = [
        row.problem for place, row in enumerate(rows) if any(other.problem in row.problem for other in rows[:place])
    ]
    assert shadowed == []
