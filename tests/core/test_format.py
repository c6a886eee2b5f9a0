"""The canonical layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

import pytest
import yaml

from agentic_dsl.ast import Document, Meta, Opaque, Subgraph
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document, format_permission, format_subgraph
from agentic_dsl.format_contracts import permission_data
from agentic_dsl.format_values import Bare, bare, is_plain, mapping_lines, number, quote
from agentic_dsl.node_table import Assign, End
from agentic_dsl.paths import Path
from agentic_dsl.permission import Permission

FIXTURES = sorted((File(__file__).parents[1] / "fixtures" / "canonical").glob("*.md"))


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.stem)
def test_canonical_text_is_printed_as_it_is(file: File) -> None:
    text = file.read_bytes().decode()
    assert format_document(parse(text)) == text


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.stem)
def test_canonical_text_with_other_line_ends_is_the_same_document(file: File) -> None:
    text = file.read_bytes().decode()
    if "unreadable" in text:
        return  # what cannot be read is kept as it is, line ends included
    assert format_document(parse(text.replace("\n", "\r\n"))) == text


# --- scalars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ('"\\', '"\\"\\\\"'),
        ("\n\t\r", '"\\n\\t\\r"'),
        ("\x00\x1f\x7f\x80\x85\x9f", '"\\u0000\\u001f\\u007f\\u0080\\u0085\\u009f"'),
        ("é\u2028\ufeff\U0001f600", '"é\u2028\ufeff\U0001f600"'),
        ("\ufffe\uffff\ud800", '"\\ufffe\\uffff\\ud800"'),
        ("{{ x }}", '"{{ x }}"'),
    ],
)
def test_a_string_has_only_the_escapes_of_the_layout(text: str, printed: str) -> None:
    assert quote(text) == printed


@pytest.mark.parametrize("word", ["a", "_x", "web_search", "llama-default", "a.b/c-d", "Nope", "y1", "nullable"])
def test_a_safe_word_is_printed_bare(word: str) -> None:
    assert bare(word) == word


@pytest.mark.parametrize(
    "word", ["", "9", "a b", "-a", "/a", "y", "N", "Yes", "no", "ON", "off", "True", "FALSE", "Null", "~", "é", "a\n"]
)
def test_any_other_word_is_printed_in_quotes(word: str) -> None:
    assert bare(word) == quote(word)


@pytest.mark.parametrize("word", ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "a.b", "x_1", "e1"])
def test_a_bare_word_is_a_string_to_a_yaml_1_1_reader_too(word: str) -> None:
    for spelling in (word, word.upper(), word.title()):
        if is_plain(spelling):
            assert yaml.safe_load(spelling) == spelling


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0, "0"),
        (-7, "-7"),
        (10**30, "1" + "0" * 30),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (9.9e-8, "9.9e-08"),
        (1e-8, "1.0e-08"),
        (1.5e20, "150000000000000000000.0"),
        (1e21, "1.0e+21"),
        (5e-324, "5.0e-324"),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (float("nan"), ".nan"),
    ],
)
def test_a_number_is_printed_as_every_reader_takes_it(value: float, printed: str) -> None:
    assert number(value) == printed
    if value == value:
        assert yaml.safe_load(printed) == value
        assert type(yaml.safe_load(printed)) is type(value)


# --- containers ------------------------------------------------------------------------------------------------------


def printed(data: Mapping[str, Any]) -> list[str]:
    return list(mapping_lines(data, 0, {}))


def test_scalars_lists_of_scalars_and_empty_containers_stand_on_one_line() -> None:
    data = {"a": 1, "b": [1, "x", None, True], "c": [], "d": {}, "e": Bare("word"), "f": ()}
    assert printed(data) == ["a: 1", 'b: [1, "x", null, true]', "c: []", "d: {}", "e: word", "f: []"]


def test_other_containers_are_blocks_two_spaces_in() -> None:
    data = {"a": {"b": {"c": 1}}, "d": [{"e": 1, "f": [2]}, [3], [[4], {}], {"g": {"h": 5}}]}
    assert printed(data) == [
        "a:",
        "  b:",
        "    c: 1",
        "d:",
        "  - e: 1",
        "    f: [2]",
        "  - [3]",
        "  - - [4]",
        "    - {}",
        "  - g:",
        "      h: 5",
    ]
    assert yaml.safe_load("\n".join(printed(data))) == data


def test_a_key_longer_than_readers_allow_is_an_explicit_key() -> None:
    data = {"k" * 1500: 1, "m" * 1500: {"a": [[1]]}}
    assert yaml.safe_load("\n".join(printed(data))) == data
    assert printed(data)[0].startswith("? ")


# --- comments --------------------------------------------------------------------------------------------------------


def test_comments_move_with_the_key_that_follows_them() -> None:
    text = (
        "### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\nnodes:\n"
        "  # b\n  - type: end\n    # about the keys\n    output_keys: [x]  # trailing\n    id: b\n"
        "  # a\n  - id: a  # same line\n    type: start\n    next: b\n```\n"
    )
    lines = format_document(parse(text)).splitlines()
    assert lines[lines.index("  - id: a") - 1] == "  # a"
    assert lines[lines.index("    type: start") - 1] == "    # same line"
    assert lines[lines.index('    output_keys: ["x"]') - 1] == "    # about the keys"
    assert lines.index("  # trailing") < lines.index("  - id: b")
    assert lines.index("  - id: a") < lines.index("  - id: b")


def test_a_comment_on_what_is_left_out_moves_to_the_node() -> None:
    node = End(id="e", comments={("metadata", "termination_mode"): ("hard is fine",), ("id",): ("the end",)})
    lines = format_subgraph(Subgraph(path=Path(("main", "p")), nodes=(node,))).splitlines()
    assert sorted(lines[lines.index("  - id: e") - 2 : lines.index("  - id: e")]) == ["  # hard is fine", "  # the end"]


def test_a_comment_inside_a_list_on_one_line_moves_above_its_key() -> None:
    node = Assign(id="a", assign={"x": (1, 2)}, comments={("assign", "x", 1): ("two",)})
    lines = format_subgraph(Subgraph(path=Path(("main", "p")), nodes=(node,))).splitlines()
    assert lines[lines.index("      x: [1, 2]") - 1] == "      # two"


# --- documents -------------------------------------------------------------------------------------------------------


def test_an_empty_document_is_the_empty_text() -> None:
    assert format_document(Document()) == ""
    assert format_document(parse("")) == ""
    assert format_document(parse("\n\n  \n")) == ""


def test_prose_alone_is_kept_with_one_newline_at_the_end() -> None:
    assert format_document(parse("\n# Title\n\ntext  \n\n\n")) == "# Title\n\ntext\n"


def test_a_block_always_has_a_key() -> None:
    text = format_document(Document(blocks=(Meta(path=Path(("__meta__",))),)))
    assert "mode: prod" in text
    assert parse(text).blocks == (Meta(path=Path(("__meta__",))),)


@pytest.mark.parametrize(
    "text",
    [
        "### AgenticDSL `/main/p`\n```yaml\na: [\n```\n",
        "### AgenticDSL `/main/p`\n\n~~~yml\na: [\r\n~~~\n\nafter\n",
        "### AgenticDSL (no path)\n```yaml\ntype: start\n```\n",
        "## 1. AgenticDSL '/main/p' note\n````\n```\nx\n````\n",
        "### AgenticDSL `/main/p`\n```yaml\nnodes: [\n\n### AgenticDSL `/main/q`\n```yaml\ntype: start\n```\n",
        "### AgenticDSL `/main/p`\n```yaml\n[1]",
    ],
)
def test_what_cannot_be_read_is_printed_as_it_was(text: str) -> None:
    document = parse(text)
    assert any(isinstance(block, Opaque) for block in document.blocks)
    once = format_document(document)
    for line in text.splitlines():
        assert line in once
    assert format_document(parse(once)) == once


def test_an_unreadable_block_without_its_source_keeps_path_note_and_body() -> None:
    block = Opaque(path=Path(("main", "p")), heading_note="draft", body="a: [\n```\n")
    text = format_document(Document(blocks=(block,)))
    assert text == "### AgenticDSL `/main/p` draft\n````yaml\na: [\n```\n````\n"
    [again] = parse(text).blocks
    assert again == block


# --- permissions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "data"),
    [
        (Permission("network"), "network"),
        (Permission("file", "read"), "file: read"),
        (Permission("tool", "x", {"scope": "read_only", "limit": 3}), "tool: x → scope: read_only, limit: 3"),
        (
            Permission("runtime", "python3", {"allow_imports": ("json", "re")}),
            "runtime: python3 → allow_imports: [json, re]",
        ),
        (Permission("generate_subgraph", None, {"max_depth": 2}), "generate_subgraph → max_depth: 2"),
        (Permission("tool", "a b"), {"tool": "a b"}),
        (Permission("tool", "x", {"when": "now or never"}), {"tool": "x", "when": "now or never"}),
        (Permission("tool", "x", {"flag": "true"}), {"tool": "x", "flag": "true"}),
        (Permission("network", None, {"a": {"b": 1}, "c": 2}), {"network": {"a": {"b": 1}, "c": 2}}),
        (Permission("network", None, {"a": {"b": 1}}), {"network": True, "a": {"b": 1}}),
        (Permission("tool", "a → b"), 'tool: "a → b"'),
    ],
)
def test_a_permission_is_one_string_where_that_needs_no_quotes_inside(permission: Permission, data: object) -> None:
    assert permission_data(permission) == data
    assert isinstance(format_permission(permission), str)
