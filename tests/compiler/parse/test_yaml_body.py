from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse import yaml_body
from agentic_dsl.compiler.parse.reading import Reading, read_data
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_limits import ALIASED_TEXT
from agentic_dsl.compiler.parse.yaml_pure import PureParser
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.signature import Data
from agentic_dsl.span import Source


def data(text: str) -> Data:
    root, _, _ = read_yaml(text, 0)
    assert root is not None
    return read_data(Reading(Source(text), [], [], "it"), root, ())


def codes(text: str) -> list[str]:
    return [finding.code for finding in read_yaml(text, 0)[1]]


def value(text: str, key: str) -> YamlNode:
    root, _, _ = read_yaml(text, 0)
    assert isinstance(root, YamlMapping)
    return next(below for name, below in root.pairs if name.text == key)


@pytest.fixture(params=["libyaml", "pure Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure Python":
        monkeypatch.setattr(yaml_body, "EventParser", PureParser)
    return str(request.param)


@pytest.mark.usefixtures("parser")
def test_places_are_offsets_into_the_document() -> None:
    text = "é: [a, 𝒳b]\r\nx: 'y'\r\nlast: {k: v}\r\n"
    root, findings, _ = read_yaml(text, 100)
    assert findings == []
    assert isinstance(root, YamlMapping)
    places = [text[node.start - 100 : node.end - 100] for pair in root.pairs for node in pair]
    assert places == ["é", "[a, 𝒳b]", "x", "'y'", "last", "{k: v}"]


@pytest.mark.usefixtures("parser")
def test_a_block_list_ends_with_its_last_item() -> None:
    text = "a:\n  - 1\n  - b: 2\n\n# comment\n\nc: &x 3\nd:\n  - *x\n\ne: 1\n"
    assert text[(node := value(text, "a")).start : node.end] == "- 1\n  - b: 2"
    assert text[(node := value(text, "d")).start : node.end] == "- *x"


@pytest.mark.usefixtures("parser")
def test_anchors_and_tags_are_no_part_of_a_value() -> None:
    text = 'a: &name  !!str # why\n   "x"\nb: *name\n'
    node = value(text, "a")
    assert text[node.start : node.end] == '"x"'
    assert value(text, "b") == node
    assert codes(text) == ["ADL103"]


@pytest.mark.usefixtures("parser")
def test_yaml_1_1_words_are_texts() -> None:
    assert data("{on: yes, off: no, y: n}") == {"on": "yes", "off": "no", "y": "n"}


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\ud800"])
@pytest.mark.usefixtures("parser")
def test_characters_that_the_reader_refuses_stay_what_they_are(character: str) -> None:
    text = f'a: x{character}y\nb: "{character}"\nc: |\n  {character}z\nd: 1\n'
    assert data(text) == {"a": f"x{character}y", "b": character, "c": f"{character}z\n", "d": 1}
    node = value(text, "d")
    assert text[node.start : node.end] == "1"
    assert codes(text) == []


def test_private_characters_of_the_text_are_not_mistaken_for_swapped_ones() -> None:
    text = 'a: "\ue000\x85\\ue001 \\ud83d\\ude00 \\\\ud83d \\U0000e002"\nb: \\ud83d\\ue003\n'
    assert data(text) == {"a": "\ue000\x85\ue001 😀 \\ud83d \ue002", "b": "\\ud83d\\ue003"}


def test_half_a_surrogate_pair_can_be_written_as_an_escape() -> None:
    assert data('a: "\\ud800"') == {"a": "\ud800"}


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b"])
def test_a_control_character_is_an_error_at_its_place(control: str) -> None:
    (finding,) = read_yaml(f"a: b\nc: d{control}", 10)[1]
    assert (finding.code, finding.span.start, finding.span.end) == ("ADL101", 19, 20)
    assert f"U+{ord(control):04X}" in finding.message
    assert data(f"a: b{control}") == {"a": f"b{control}"}


@pytest.mark.usefixtures("parser")
def test_a_key_twice_is_reported_at_the_second_one() -> None:
    text = "a: 1\nb: {c: 1, c: 2}\na: 3\n"
    assert [(d.code, d.span.start) for d in read_yaml(text, 0)[1]] == [("ADL102", 15), ("ADL102", 21)]
    assert data(text) == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "[a]", "{a: b}", "? [a, b]\n"])
def test_a_key_that_is_no_text_is_reported(key: str) -> None:
    assert codes(f"{key}: x") == ["ADL108"]


def test_numbers_as_keys_keep_their_text() -> None:
    assert data("1: x\n0x1f: y") == {"1": "x", "0x1f": "y"}


def test_a_template_without_quotes_is_called_what_it_is() -> None:
    (finding,) = read_yaml("a: {{ x }}", 0)[1]
    assert "template" in finding.message
    assert "quotes" in (finding.help or "")


@pytest.mark.parametrize("tag", ["!!str", "!local", "!<tag:example.org,2000:x>", "!"])
@pytest.mark.parametrize("content", ["x", "'x'", "[x]", "{x: y}", ""])
def test_every_tag_is_reported_at_its_place(tag: str, content: str) -> None:
    (finding,) = read_yaml(f"a: {tag} {content}\n", 0)[1]
    assert (finding.code, finding.span.start, finding.span.end) == ("ADL103", 3, 3 + len(tag))


def test_a_second_document_is_reported_and_the_first_is_read() -> None:
    text = "---\na: 1\n---\nb: 2\n"
    assert [(d.code, d.span.start) for d in read_yaml(text, 0)[1]] == [("ADL105", 9)]
    assert data(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n...\n"])
def test_an_empty_body_has_no_error(text: str) -> None:
    root, findings, _ = read_yaml(text, 0)
    assert findings == []
    assert root is None or (isinstance(root, YamlScalar) and root.value is None)


# --- limits


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 101 + "]" * 101, "- " * 102 + "x", "".join(" " * n + "a:\n" for n in range(102)), "[" * 2_000_000],
)
def test_values_that_nest_too_deep_are_refused(text: str) -> None:
    root, findings, _ = read_yaml(text, 0)
    assert root is None
    assert [d.code for d in findings] == ["ADL104"]


def test_a_hundred_levels_are_read() -> None:
    assert codes("a: " + "[" * 99 + "]" * 99) == []


def test_aliases_that_expand_beyond_the_limit_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert codes("\n".join(lines)) == ["ADL104"]


def test_aliases_within_the_limit_are_fine() -> None:
    assert data("a: &a [1, {b: 2}]\nc: *a\nd: [*a, *a]")["d"] == ((1, {"b": 2}), (1, {"b": 2}))  # type: ignore[index, call-overload]


def test_an_aliased_text_counts_by_its_length() -> None:
    def body(length: int) -> str:
        return f"a: &a {'x' * length}\nb: [{', '.join(['*a'] * 1_000)}]"

    assert codes(body(80 * ALIASED_TEXT)) == []
    assert codes(body(120 * ALIASED_TEXT)) == ["ADL104"]


def test_aliases_that_nest_too_deep_are_refused() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 120))]
    assert "ADL104" in codes("\n".join(lines))


def test_an_alias_to_itself_is_refused() -> None:
    assert codes("a: &a [*a]") == ["ADL104"]


def test_an_alias_to_nothing_is_reported_at_its_place() -> None:
    (finding,) = read_yaml("a: *gone\n", 0)[1]
    assert (finding.code, finding.span.start, finding.span.end) == ("ADL101", 3, 8)


def test_an_endless_number_is_refused_and_raises_nothing() -> None:
    assert codes(f"a: {'9' * 5000}") == ["ADL104"]
    assert codes(f"a: '{'9' * 5000}'") == []
