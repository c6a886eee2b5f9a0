"""`parse` as a whole: paths of blocks, prose, and the bad-input table of the design as far as it concerns reading."""

from __future__ import annotations

import gc

import pytest

from agentic_dsl.ast import Document, Opaque, Subgraph
from agentic_dsl.compiler.parse import document as document_module
from agentic_dsl.compiler.parse.collector import PAUSE_LENGTH
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.span import MAX_BYTES


def codes(document: Document) -> list[str]:
    return [finding.code for finding in document.diagnostics]


def block(path: str, body: str = "type: end") -> str:
    return f"### AgenticDSL `{path}`\n```yaml\n{body}\n```\n"


def paths(text: str) -> list[str]:
    return [str(block.path) for block in parse(text).blocks]


def test_self_blocks_belong_to_the_block_before_them() -> None:
    text = block("/main/a") + block("/self/b") + block("/self/c/d") + block("/main/e") + block("/self/f")
    assert paths(text) == ["/main/a", "/main/a/b", "/main/a/c/d", "/main/e", "/main/e/f"]


def test_a_self_block_may_follow_one_that_cannot_be_read() -> None:
    assert paths(block("/main/a", "a: [") + block("/self/b")) == ["/main/a", "/main/a/b"]


@pytest.mark.parametrize("before", ["", block("/__meta__", "mode: dev"), block("no path")])
def test_a_self_block_needs_a_block_to_belong_to(before: str) -> None:
    document = parse(before + block("/self/a"))
    assert codes(document)[-1] == "ADL009"
    assert document.blocks[-1].path is None


@pytest.mark.parametrize(
    "path",
    ["/", "/main//x", "/main/x/", "/mäin", "/main/x?y=1", "/main/x@v1", "/lib/x@latest", "main/x", "/self", "{{ x }}"],
)
def test_a_path_that_breaks_the_rules_is_reported_where_it_stands(path: str) -> None:
    document = parse(block(path))
    (finding,) = document.diagnostics
    assert finding.code in ("ADL111", "ADL009")
    assert document.source.text[finding.span.start : finding.span.end] == path
    assert isinstance(document.blocks[0], Opaque)


def test_prose_stays_with_the_block_that_follows() -> None:
    document = parse("  one\n\ntwo\n\n" + block("/main/a") + "\nthree\n" + block("/main/b") + "\n\n    four \n\n")
    assert [kept.prose for kept in document.blocks] == ["  one\n\ntwo", "three"]
    assert document.epilogue == "    four"


def test_a_block_that_cannot_be_read_hides_no_other() -> None:
    document = parse(block("/main/a", "x: [") + block("/main/b") + block("/main/c", "y: {{ z") + block("/main/d"))
    assert [type(kept) for kept in document.blocks] == [Opaque, Subgraph, Opaque, Subgraph]
    assert codes(document) == ["ADL101", "ADL101"]


def test_findings_are_in_the_order_of_the_text() -> None:
    text = block("/main/a", "type: end\nfoo: 1") + "### AgenticDSL `/x`\n\n" + block("/main/b", "a: [")
    starts = [finding.span.start for finding in parse(text).diagnostics]
    assert len(starts) == 3
    assert starts == sorted(starts)


@pytest.mark.parametrize("text", ["", "\n", "prose", "# AgenticDSL", "\ufeff", "```\n"])
def test_a_text_without_blocks_gets_a_warning(text: str) -> None:
    document = parse(text)
    assert codes(document) == ["ADL003"]
    assert not document.has_errors


def test_the_path_of_the_file_is_kept_for_messages() -> None:
    assert parse("", path="a.md").source.path == "a.md"


# --- bad input (design.md §9)


@pytest.mark.parametrize("text", ["x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1), "\n" * (MAX_BYTES + 1)])
def test_a_document_over_8_mib_is_refused_and_kept(text: str) -> None:
    document = parse(text)
    assert codes(document) == ["ADL001"]
    assert document.epilogue == text


def test_a_document_of_8_mib_is_read() -> None:
    text = block("/main/a")
    text += "é" * ((MAX_BYTES - len(text)) // 2)
    assert codes(parse(text)) == []


def test_half_characters_are_reported_and_the_rest_is_read() -> None:
    document = parse(block("/main/a", 'type: assign\nassign: {x: "\ud800"}\nnext: b'))
    assert codes(document) == ["ADL002"]
    assert next(document.subgraphs).nodes[0].writes == ("x",)


def test_a_nul_is_an_error_in_a_block_and_harmless_in_prose() -> None:
    assert codes(parse("a\0b\n" + block("/main/a"))) == []
    assert codes(parse(block("/main/a", "type: end\nmetadata: {x: a\0b}"))) == ["ADL101"]


def test_aliases_of_all_blocks_together_are_limited() -> None:
    lines = ["type: assign", "assign:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 4)]
    document = parse("".join(block(f"/main/b{n}", "\n".join(lines)) for n in range(50)))
    assert "ADL104" in codes(document)
    assert codes(document).count("ADL104") == 1


def test_nesting_is_limited() -> None:
    assert codes(parse(block("/main/a", "type: assign\nassign: {x: " + "[" * 5000))) == ["ADL104"]


@pytest.mark.parametrize(
    "text",
    [
        "### AgenticDSL `/main/a`\n```yaml\ntype: end",
        "### AgenticDSL `/main/a`\n```yaml\ntype: end\n",
        "### AgenticDSL `/main/a`\n~~~~\ntype: end\n```\n~~~",
    ],
)
def test_a_truncated_block_is_read_as_far_as_it_goes(text: str) -> None:
    document = parse(text)
    assert codes(document)[0] == "ADL006"
    assert len(document.blocks) == 1


@pytest.mark.parametrize(
    "text",
    [
        "# AgenticDSL\n" * 20_000,
        "```\n" * 40_000,
        "# AgenticDSL " + "`/" * 200_000,
        "# " + "AgenticDSL" * 50_000,
        "# AgenticDSL `/a`\n```\n" + ("# AgenticDSL " * 1000 + "\n") * 100,
        "# AgenticDSL `/a`\n```\n" + "[" * 400_000,
        "# AgenticDSL `/a`\n```\n" + "a: " * 100_000,
        "# AgenticDSL `/a`\n```\n" + "- " * 200_000,
        "# AgenticDSL `/a`\n```\n" + "? " * 100_000,
        "# AgenticDSL `/a`\n```\n" + "#" * 400_000,
        "# AgenticDSL `/a`\n```\n# " + "AgenticDSL " * 100_000,
        "# AgenticDSL `/a`\n```\nx: '" + "# " * 400_000,
        "# AgenticDSL `/a`\n```\n" + "a: 1 #\n" * 40_000,
        "# AgenticDSL `/a`\n```\nx: '" + "\n" * 400_000,
        "# AgenticDSL `/a`\n```\nnodes:\n" + "- {id: a, foo: 1}\n" * 9_000,
    ],
    ids=range(15),
)
@pytest.mark.timeout(60)
def test_no_text_takes_for_ever(text: str) -> None:
    assert isinstance(parse(text), Document)


def test_more_values_than_the_limit_are_refused() -> None:
    text = block("/main/a", "type: assign\nassign: {x: [" + "1," * 600_000 + "]}")
    assert codes(parse(text)) == ["ADL104"]


def test_values_beyond_the_limit_are_said_once() -> None:
    text = block("/main/a", "type: assign\nassign: {x: [" + "1," * 600_000 + "]}")
    assert codes(parse(text + block("/main/b") + block("/main/c"))) == ["ADL104"]


# --- the cycle collector


def test_the_collector_is_as_it_was_after_a_large_document(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    read = document_module._parse
    monkeypatch.setattr(document_module, "_parse", lambda source: (seen.append(gc.isenabled()), read(source))[1])
    large = block("/main/a") + " " * PAUSE_LENGTH
    parse(large)
    assert gc.isenabled()
    gc.disable()
    try:
        parse(large)
        assert not gc.isenabled()
    finally:
        gc.enable()
    parse("small")
    assert seen == [False, False, True]
