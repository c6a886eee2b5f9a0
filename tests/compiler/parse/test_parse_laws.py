"""Laws of reading, with texts that Hypothesis makes."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.ast import Document
from agentic_dsl.compiler.parse import yaml_body
from agentic_dsl.compiler.parse.blocks import read_structure
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_characters import shield
from agentic_dsl.compiler.parse.yaml_pure import PureParser
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlScalar, YamlSequence

FIXTURES = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "fixtures" / "documents").glob("*.md"))
]

PIECES = st.sampled_from(
    [
        *(
            "# ",
            "### ",
            "AgenticDSL",
            "`/main/a`",
            "`/self/b`",
            "'/lib/c@v1'",
            "```",
            "```yaml\n",
            "~~~",
            "````",
            "\n",
            "\r",
            "\r\n",
        ),
        *(
            "type: ",
            "end",
            "assign",
            "nodes:\n",
            "- ",
            "id: a\n",
            "  ",
            "graph_type: subgraph\n",
            "next: ",
            "signature: ",
        ),
        *(
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "#",
            "&a ",
            "*a",
            "!!str",
            "|\n",
            ">-\n",
            "'",
            '"',
            "\\u00e9",
            "\\ud800",
            "{{ x }}",
        ),
        *(
            "\0",
            "\x85",
            "\u2028",
            "\ufeff",
            "\ud800",
            "é",
            "\t",
            "---\n",
            "%YAML 1.1\n",
            "? ",
            "<<: ",
            "0x1f",
            ".inf",
            "9" * 5000,
        ),
        *(
            "# --- BEGIN AgenticDSL ---\n",
            "# --- END AgenticDSL ---\n",
            "fork: ",
            "branches: ",
            "wait_for: ",
            "dev_comment: ",
        ),
    ]
)


def check_places(document: Document) -> None:
    length = len(document.source.text)
    for finding in document.diagnostics:
        assert 0 <= finding.span.start <= finding.span.end <= length, finding
        assert finding.message
        assert not re.search(
            r"while (scanning|parsing)|\$END|__ANON|Token\(|Span\(", finding.message + (finding.help or "")
        )
    for block in document.blocks:
        spans = [*block.spans.values.values(), *block.spans.keys.values(), block.span, block.path_span]
        for node in getattr(block, "nodes", ()):
            spans += [node.span, *node.spans.values.values(), *node.spans.keys.values()]
        assert all(0 <= span.start <= span.end <= length for span in spans)


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec=None)) | st.lists(PIECES, max_size=60).map("".join))
def test_every_text_is_a_document(text: str) -> None:
    check_places(parse(text))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A document of the fixtures with a few cuts, doublings and insertions."""
    text = draw(st.sampled_from(FIXTURES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        match draw(st.sampled_from(["cut", "double", "insert"])):
            case "cut":
                text = text[:start] + text[end:]
            case "double":
                text = text[:end] + text[start:]
            case _:
                text = text[:start] + draw(PIECES) + text[start:]
    return text


@settings(deadline=None, max_examples=300)
@given(mutated())
def test_every_damaged_document_is_a_document(text: str) -> None:
    check_places(parse(text))


@settings(deadline=None, max_examples=200)
@given(st.lists(PIECES, max_size=60).map("".join) | mutated())
def test_prose_and_blocks_together_are_the_text(text: str) -> None:
    structure = read_structure(text)
    at = int(text.startswith("\ufeff"))
    for index, block in enumerate(structure.blocks):
        assert at <= block.span.start < block.span.end
        assert text[at : block.span.start].split() == structure.prose(text, index).split()
        assert block.span.start <= block.body.start <= block.body.end <= len(text)
        at = block.span.end
    assert text[at:].split() == structure.prose(text, len(structure.blocks)).split()


SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(
        [
            "on",
            "yes",
            "null",
            "0x1f",
            "1e3",
            "- x",
            "a: b",
            "# x",
            "x # y",
            " lead",
            "two\n\nlines\n",
            "{{ x }}",
            "'",
            '"',
        ]
    )
    | st.integers()
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), below, max_size=4),
    max_leaves=12,
)


def scalars_of(node: YamlMapping | YamlSequence | YamlScalar) -> list[YamlScalar]:
    match node:
        case YamlScalar():
            return [node]
        case YamlSequence(items):
            return [scalar for item in items for scalar in scalars_of(item)]
        case YamlMapping(pairs):
            return [scalar for pair in pairs for part in pair for scalar in scalars_of(part)]


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.text(min_size=1, max_size=8), VALUES, min_size=1, max_size=5),
    st.sampled_from(["", "'", '"', "|", ">"]),
    st.sampled_from([True, False, None]),
    st.booleans(),
    st.sampled_from([10, 40, 1000]),
)
def test_the_source_of_a_value_reads_as_that_value(
    value: object, style: str, flow: bool | None, raw: bool, width: int
) -> None:
    text = yaml.safe_dump(value, default_style=style or None, default_flow_style=flow, allow_unicode=raw, width=width)
    if re.search(r"!!|^\? ", text, re.MULTILINE):
        return  # tags are no part of the language, and a long key's indentation is lost in its slice
    root, _, _ = read_yaml(text, 3)
    assert root is not None, text
    for scalar in scalars_of(root):
        source = text[scalar.start - 3 : scalar.end - 3]
        if re.match(r"[|>][+-]?[0-9]", source):
            continue  # an indentation indicator counts from the parent, which the slice lacks
        again, _, _ = read_yaml(source, 0)
        if scalar.value is None:
            assert again is None or (isinstance(again, YamlScalar) and again.value is None)
            continue
        assert isinstance(again, YamlScalar), source
        assert again.value == scalar.value, source
        assert again.style == scalar.style


@settings(deadline=None, max_examples=200)
@given(VALUES, st.sampled_from(["", "'", '"', "|", ">"]), st.booleans())
def test_both_yaml_readers_see_the_same_tree(value: object, style: str, flow: bool) -> None:
    text = yaml.safe_dump(value, default_style=style or None, default_flow_style=flow)
    fast = read_yaml(text, 0)
    original = yaml_body.EventParser
    try:
        yaml_body.EventParser = PureParser  # type: ignore[misc, assignment]
        assert read_yaml(text, 0)[0] == fast[0]
    finally:
        yaml_body.EventParser = original


@given(st.text(st.characters(codec=None)))
def test_a_shielded_text_has_the_same_length_and_comes_back(text: str) -> None:
    shielded = shield(text)
    assert len(shielded.text) == len(text)
    if not shielded.escapes:
        assert shielded.restore(shielded.text) == text
