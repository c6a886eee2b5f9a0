"""What a change of inputs and outputs means to callers."""

from __future__ import annotations

import pytest
from comparing import block, compared, contract, found

INPUTS = [
    ("a: string", "a: string", []),
    ("a: string", "a: string, b: string", ["required-input-added"]),
    ("a: string", "a: string, b?: string", ["optional-input-added"]),
    ("a: string, b?: string", "a: string, b: string", ["required-input-added"]),
    ("a: string, b: string", "a: string, b?: string", ["input-optional"]),
    ("a: string, b: string", "a: string", ["input-removed"]),
    ("a: string, b?: string", "a: string", ["input-removed"]),
    ("a: string, b: string", "b: string, a: string", ["inputs-reordered"]),
    ("a: string", "b: string", ["input-removed", "required-input-added"]),
    ("a: integer", "a: number", ["input-widened"]),
    ("a: number", "a: integer", ["input-narrowed"]),
    ("a: string", "a: integer", ["input-narrowed"]),
    ("a: string", "a: any", ["input-widened"]),
    ("a: any", "a: string", ["input-narrowed"]),
    ("a: array<integer>", "a: array<number>", ["input-widened"]),
    ("a: array<integer>", "a: array", ["input-widened"]),
    ("a: array", "a: array<integer>", ["input-narrowed"]),
    ("a: array<any>", "a: array", []),
    ("a: strict|warn", "a: strict|warn|ignore", ["input-widened"]),
    ("a: strict|warn", "a: string", ["input-widened"]),
    ("a: strict|warn|ignore", "a: strict|warn", ["input-narrowed"]),
    ("a: strict|warn", "a: warn|strict", []),
    ("a?: integer = 1", "a?: integer = 2", ["default-changed"]),
    ("a?: integer = 1", "a?: integer", ["default-changed"]),
    ("a?: integer", "a?: integer = 2", ["default-stated"]),
    ("a?: number = 1", "a?: number = 1.0", []),
    ("a?: boolean = true", "a?: boolean = false", ["default-changed"]),
    ("a: int", "a: integer", []),
]

OUTPUTS = [
    ("{a: string}", "{a: string, b: string}", ["output-added"]),
    ("{a: string, b: string}", "{a: string}", ["output-removed"]),
    ("{a: string}", "{a?: string}", ["output-optional"]),
    ("{a?: string}", "{a: string}", ["output-required"]),
    ("{a: integer}", "{a: number}", ["output-widened"]),
    ("{a: number}", "{a: integer}", ["output-narrowed"]),
    ("{a: string}", "{a: integer}", ["output-widened"]),
    ("{a: any}", "{a: string}", ["output-narrowed"]),
    ("{a: string, b: string}", "{b: string, a: string}", []),
]


@pytest.mark.parametrize(("old", "new", "expected"), INPUTS)
def test_what_callers_give_may_only_be_asked_for_less(old: str, new: str, expected: list[str]) -> None:
    assert found(contract(f"({old}) -> ()"), contract(f"({new}) -> ()")) == expected


@pytest.mark.parametrize(("old", "new", "expected"), OUTPUTS)
def test_what_callers_get_may_only_be_promised_more(old: str, new: str, expected: list[str]) -> None:
    assert found(contract(f"() -> {old}"), contract(f"() -> {new}")) == expected


def _schema(schema: str, kind: str = "inputs") -> str:
    other = "outputs" if kind == "inputs" else "inputs"
    return block("signature:", f"  {kind}: [{{name: a, type: object, schema: {schema}}}]", f"  {other}: []")


CLOSED = "{type: object, properties: {x: {type: integer, minimum: 1}}, required: [x], additionalProperties: false}"
OPEN = "{type: object, properties: {x: {type: number}}}"


def test_schemas_count_as_types_do() -> None:
    assert found(_schema(CLOSED), _schema(OPEN)) == ["input-widened"]
    assert found(_schema(OPEN), _schema(CLOSED)) == ["input-narrowed"]
    assert found(_schema(CLOSED, "outputs"), _schema(OPEN, "outputs")) == ["output-widened"]
    assert found(_schema(OPEN, "outputs"), _schema(CLOSED, "outputs")) == ["output-narrowed"]


def test_both_spellings_of_a_signature_are_one_contract() -> None:
    written = block(
        "signature:",
        "  inputs: [{name: a, type: int}, {name: b, required: false}]",
        "  outputs: [{name: c, type: str}]",
    )
    assert found(written, contract("(a: integer, b?: any) -> {c: string}")) == []


def test_a_change_points_at_the_parameter_in_the_version_that_has_it() -> None:
    old, new = contract("(a: string, b: string) -> ()"), contract("(a: string, c: string) -> ()")
    gone, asked = compared(old, new).changes
    texts = [c.place.document.source.text[c.place.span.start : c.place.span.end] for c in (gone, asked)]
    assert (gone.place.side, asked.place.side) == ("old", "new")
    assert texts == ["b: string", "c: string"]


def test_a_signature_that_is_stated_first_asks_nothing_or_breaks() -> None:
    bare = block("graph_type: subgraph", "nodes: [{id: a, type: end}]")
    free = block("graph_type: subgraph", 'signature: "(a?: string) -> {b?: string}"', "nodes: [{id: a, type: end}]")
    asking = block("graph_type: subgraph", 'signature: "(a: string) -> ()"', "nodes: [{id: a, type: end}]")
    assert found(bare, free) == ["signature-stated"]
    assert found(bare, asking) == ["required-input-added"]
    assert found(free, bare) == ["signature-dropped"]


def test_texts_about_parameters_are_a_patch() -> None:
    one = block("signature:", "  inputs: [{name: a, description: one}]", "  outputs: []")
    two = block("signature:", "  inputs: [{name: a, description: two}]", "  outputs: []")
    assert found(one, two) == ["text-changed"]
