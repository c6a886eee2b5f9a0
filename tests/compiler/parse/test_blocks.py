from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.blocks import read_structure
from agentic_dsl.compiler.parse.document import parse

BODY = "type: end\n"


def only(text: str):  # type: ignore[no-untyped-def]
    (block,) = read_structure(text).blocks
    return block


@pytest.mark.parametrize("level", range(1, 7))
def test_a_heading_of_every_level_begins_a_block(level: int) -> None:
    assert only(f"{'#' * level} AgenticDSL `/main/x`\n```yaml\n{BODY}```\n").path == "/main/x"


@pytest.mark.parametrize(
    "heading",
    [
        "####### AgenticDSL `/main/x`",
        "###AgenticDSL `/main/x`",
        "### Agentic DSL `/main/x`",
        "### AgenticDSLs `/main/x`",
        "    ### AgenticDSL `/main/x`",
        "text ### AgenticDSL `/main/x`",
    ],
)
def test_what_is_no_heading_with_the_word_is_prose(heading: str) -> None:
    structure = read_structure(f"{heading}\n```yaml\n{BODY}```\n")
    assert structure.blocks == ()
    assert structure.diagnostics == ()


@pytest.mark.parametrize(
    ("heading", "path", "note"),
    [
        ("### AgenticDSL `/main/x`", "/main/x", ""),
        ("### AgenticDSL '/main/x'", "/main/x", ""),
        ("### AgenticDSL: the block ` /main/x ` — a note ###", "/main/x", "— a note ###"),
        ("### AgenticDSL's own `/main/x`", "/main/x", ""),
        ("### 1. `code` AgenticDSL '/main/x' and `/y`", "/main/x", "and `/y`"),
    ],
)
def test_the_path_is_quoted_and_what_follows_is_a_note(heading: str, path: str, note: str) -> None:
    block = only(f"{heading}\n```\n{BODY}```\n")
    assert (block.path, block.note) == (path, note)


@pytest.mark.parametrize("info", ["", "yaml", "yml", "agentic", " YAML ", "yaml title=x", "{.yaml}"])
@pytest.mark.parametrize("fence", ["```", "````", "~~~", "~~~~~"])
def test_every_fence_and_info_of_a_block_is_accepted(fence: str, info: str) -> None:
    text = f"### AgenticDSL `/main/x`\n \t\n\n{fence}{info}\n{BODY}{fence}\n"
    structure = read_structure(text)
    (block,) = structure.blocks
    assert structure.diagnostics == ()
    assert text[block.body.start : block.body.end] == BODY
    assert text[block.span.start : block.span.end] == text.rstrip("\n")


def test_a_closing_fence_is_at_least_as_long_and_of_the_same_kind() -> None:
    text = "### AgenticDSL `/main/x`\n````yaml\na: 1\n```\n~~~~\n```` not\n   `````  \nprose\n"
    block = only(text)
    assert text[block.body.start : block.body.end] == "a: 1\n```\n~~~~\n```` not\n"
    assert read_structure(text).prose(text, 1) == "prose"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_one(end: str) -> None:
    text = end.join(["prose", "", "### AgenticDSL `/main/x` note", "", "```yaml", "a: 1", "```", "", "more"])
    structure = read_structure(text)
    (block,) = structure.blocks
    assert text[block.body.start : block.body.end] == f"a: 1{end}"
    assert block.note == "note"
    assert structure.prose(text, 0) == "prose"
    assert structure.prose(text, 1) == "more"


def test_a_byte_order_mark_is_no_part_of_anything() -> None:
    block = only(f"\ufeff### AgenticDSL `/main/x`\n```\n{BODY}```")
    assert block.span.start == 1
    assert read_structure("\ufeff```\n### AgenticDSL `/main/x`\n```\n```\n").blocks == ()


def test_headings_inside_of_fences_in_the_prose_are_prose() -> None:
    text = "````md\n### AgenticDSL `/main/x`\n```yaml\na: 1\n```\n````\n"
    structure = read_structure(text)
    assert structure.blocks == ()
    assert structure.prose(text, 0) == text.rstrip()


def test_an_unclosed_block_ends_before_the_next_one() -> None:
    text = "# AgenticDSL `/a`\n```yaml\na: 1\n# AgenticDSL `/comment`\n# AgenticDSL `/b`\n\n```yaml\nb: 1\n```\n"
    structure = read_structure(text)
    assert [block.path for block in structure.blocks] == ["/a", "/b"]
    assert [block.closed for block in structure.blocks] == [False, True]
    first = structure.blocks[0].body
    assert text[first.start : first.end] == "a: 1\n# AgenticDSL `/comment`\n"
    assert [d.code for d in structure.diagnostics] == ["ADL006"]


@pytest.mark.parametrize("text", ["# AgenticDSL `/a`\n```", "# AgenticDSL `/a`\n```yaml", "# AgenticDSL `/a`\n```\n"])
def test_a_block_that_ends_with_its_opening_fence_is_unclosed_and_empty(text: str) -> None:
    block = only(text)
    assert not block.closed
    assert block.body.start == block.body.end == len(text)


def test_an_unclosed_fence_in_the_prose_is_reported_where_it_hides_blocks() -> None:
    assert read_structure("```text\nnothing of ours\n").diagnostics == ()
    (finding,) = read_structure("```text\n### AgenticDSL `/a`\n~~~yaml\na: 1\n~~~\n").diagnostics
    assert (finding.code, finding.span.start, finding.span.end) == ("ADL006", 0, 3)


def test_a_heading_without_a_path_is_a_block_only_if_the_fence_is_ours() -> None:
    assert read_structure("# AgenticDSL tutorial\n\n```sh\nls\n```\n").diagnostics == ()
    assert read_structure("# AgenticDSL tutorial\n\n```\nls\n```\n").diagnostics == ()
    for fence in ("```yaml\n", "~~~ agentic\n", "```\n# --- BEGIN AgenticDSL ---\n"):
        structure = read_structure(f"# AgenticDSL block\n\n{fence}type: end\n")
        assert structure.blocks[0].path is None
        assert "ADL005" in [d.code for d in structure.diagnostics]


def test_a_heading_without_a_fence_is_reported_and_stays_prose() -> None:
    text = "### AgenticDSL `/main/x`\n\ntext\n\n```yaml\na: 1\n```\n"
    structure = read_structure(text)
    assert structure.blocks == ()
    assert [(d.code, d.span.end) for d in structure.diagnostics] == [("ADL004", 24)]
    assert structure.prose(text, 0) == text.rstrip()


def test_a_fence_in_another_language_is_reported_and_read_all_the_same() -> None:
    structure = read_structure("# AgenticDSL `/a`\n```json\n{}\n```\n")
    assert [(d.code, d.span.start, d.span.end) for d in structure.diagnostics] == [("ADL010", 21, 25)]
    assert len(structure.blocks) == 1


@pytest.mark.parametrize("indent", ["\t", "    ", " \t"])
@pytest.mark.parametrize("rest", ["", "\n", "\r\n\r\n"])
def test_a_fence_that_is_indented_too_far_closes_nothing_wherever_the_text_ends(indent: str, rest: str) -> None:
    text = f'### AgenticDSL `/__meta__`\n```yaml\nversion: ""\n# --- END AgenticDSL ---\n{indent}```{rest}'
    assert "ADL006" in [finding.code for finding in parse(text).diagnostics]
