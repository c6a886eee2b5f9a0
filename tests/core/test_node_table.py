"""Invariants of the node table, on which everything else is built."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from agentic_dsl.node_table import (
    DEPRECATED_TYPES,
    GENERATED_TYPES,
    MERGE_STRATEGIES,
    NODE_TABLE,
    ROWS,
    AnyNode,
    Assign,
    FieldKind,
    FieldSpec,
    Fork,
    Generated,
    MergeStrategy,
    NodeSpec,
    Slot,
    ToolCall,
    UnknownNode,
    row_of,
)

SPECS = list(NODE_TABLE.values())
CELLS = [(spec, field) for spec in SPECS for field in spec.fields]

by_type = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type)
by_cell = pytest.mark.parametrize(("spec", "field"), CELLS, ids=[f"{s.type}.{f.name}" for s, f in CELLS])

NEVER_GENERATED = {
    "metadata",
    "context_merge_policy",
    "on_success",
    "expected_output",
    "curriculum_level",
    "signature",
    "permissions",
    "wait_for",
}
"""``language.md``, the dialects."""

HANDLERS_GENERATED = {
    "on_error": {"assign", "tool_call", "codelet_call", "dsl_call", "generate_subgraph"},
    "on_failure": {"assert"},
}


def test_the_types_are_those_of_the_language() -> None:
    assert list(NODE_TABLE) == [
        "start",
        "end",
        "assign",
        "tool_call",
        "codelet_call",
        "dsl_call",
        "assert",
        "fork",
        "join",
        "generate_subgraph",
        "resource",
        "resource_declare",
    ]
    assert set(NODE_TABLE) - set(GENERATED_TYPES) == {"resource", "resource_declare"}


def test_the_union_of_nodes_is_the_rows_and_the_unknown_node() -> None:
    assert set(typing.get_args(AnyNode)) == {*ROWS, UnknownNode}


@by_type
def test_a_row_is_found_by_its_type_and_makes_frozen_nodes(spec: NodeSpec) -> None:
    row = row_of(spec.type)
    assert row is spec.row
    node = spec.row(id="x")
    assert node.type == spec.type
    assert node.spec is spec
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.id = "y"  # type: ignore[misc]


@by_type
def test_the_fields_of_a_row_have_places_of_their_own_in_canonical_order(spec: NodeSpec) -> None:
    assert len({field.path for field in spec.fields}) == len(spec.fields)
    assert [field.slot for field in spec.fields] == sorted(field.slot for field in spec.fields)
    assert spec.fields[0].kind is FieldKind.ID
    with_children = {field.path[:-1] for field in spec.fields if len(field.path) > 1}
    for path in with_children:
        holder = next((field for field in spec.fields if field.path == path), None)
        assert holder is None or holder.kind is FieldKind.VALUES, "only a mapping has keys below it"


@by_type
def test_a_row_and_its_fields_are_documented(spec: NodeSpec) -> None:
    assert spec.doc
    assert all(field.doc for field in spec.fields)


@by_cell
def test_a_cell_is_an_attribute_with_its_default(spec: NodeSpec, field: FieldSpec) -> None:
    node = spec.row(id="x")
    assert hasattr(node, field.name)
    if field.kind is FieldKind.CHOICE:
        assert field.choices
        assert field.default is None or field.default in field.choices
        assert len(field.choices) == len(set(field.choices))
    if field.kind is FieldKind.PARAMETERS:
        assert field.parameters
    if field.kind is not FieldKind.ID:
        assert getattr(node, field.name) in (field.default, (), {}, "")


@by_cell
def test_only_fields_that_can_write_or_jump_do(spec: NodeSpec, field: FieldSpec) -> None:
    if field.writes:
        assert field.kind in (FieldKind.KEYS, FieldKind.VALUES)
    if field.jump:
        assert field.kind is FieldKind.REFERENCE
        assert field.slot is Slot.HANDLER
        assert field.template
    if field.alternative is not None:
        assert spec.field(field.alternative).writes is field.writes


@by_cell
def test_what_is_generated_is_what_the_language_says(spec: NodeSpec, field: FieldSpec) -> None:
    if not spec.generated:
        return
    if field.required and field.alternative is None:
        assert field.generated is Generated.ALWAYS
    if field.name in NEVER_GENERATED:
        assert field.generated is Generated.NEVER
    if field.jump:
        handled = spec.type in HANDLERS_GENERATED.get(field.name, set())
        assert (field.generated is Generated.OPTIONAL) is handled
    if field.name == "next":
        expected = Generated.NEVER if spec.is_end or spec.row is Fork else Generated.ALWAYS
        assert field.generated is expected


def test_ends_declarations_and_what_reaches_out_are_marked() -> None:
    assert [spec.type for spec in SPECS if spec.is_end] == ["end"]
    assert [spec.type for spec in SPECS if not spec.has_edges] == ["resource", "resource_declare"]
    assert {spec.type for spec in SPECS if spec.reaches_out} == {
        "tool_call",
        "codelet_call",
        "dsl_call",
        "generate_subgraph",
    }


def test_a_node_writes_each_key_once_in_order() -> None:
    assert Assign(id="a", assign={"x": 1, "y": 2}, output_keys=("y", "z")).writes == ("x", "y", "z")
    assert ToolCall(id="t", output_keys=("r",), output_mapping={"q": "a.b", "r": "c"}).writes == ("r", "q")
    assert UnknownNode(id="u", type_name="dream", extra={"output_keys": ["x"]}).writes == ()


def test_an_unknown_node_is_called_as_it_was_written() -> None:
    node = UnknownNode(id="u", type_name="dream")
    assert node.type == "dream"
    assert "dream" not in NODE_TABLE
    assert {field.name for field in node.spec.fields} >= {"next", "on_error", "metadata"}


def test_old_type_names_mean_types_of_the_table_and_fields_that_these_have() -> None:
    for new, implied in DEPRECATED_TYPES.values():
        assert {field.name for field in NODE_TABLE[new].fields} >= set(implied)
    assert not set(DEPRECATED_TYPES) & set(NODE_TABLE)


def test_spans_comments_and_spelling_are_no_part_of_what_a_node_means() -> None:
    assert Assign(id="a", spelling="x", comments={("id",): ("c",)}) == Assign(id="a")
    assert Assign(id="a", extra={"x": 1}) != Assign(id="a")


def test_the_merge_strategies_are_listed_as_they_are_typed() -> None:
    assert typing.get_args(MergeStrategy) == MERGE_STRATEGIES
