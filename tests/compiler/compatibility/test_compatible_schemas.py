"""Containment of JSON Schemas: what is sure, what is not, and that the answer is never wrong or late."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentic_dsl.compiler.compatibility.schemas import contains
from tests.strategies.profile import law

CASES: list[tuple[Any, Any, bool]] = [
    (True, False, True),
    (False, True, False),
    ({}, {"type": "string"}, True),
    ({"type": "string"}, {}, False),
    ({"type": ["string", "null"]}, {"type": "string"}, True),
    ({"type": "number"}, {"enum": [1, 2.5]}, True),
    ({"type": "integer"}, {"enum": [1, 2.5]}, False),
    ({"enum": [1, True]}, {"const": 1.0}, True),
    ({"enum": [1]}, {"const": True}, False),
    ({"minimum": 0}, {"exclusiveMinimum": 0}, True),
    ({"exclusiveMinimum": 0}, {"minimum": 0}, False),
    ({"exclusiveMinimum": 0}, {"minimum": 0.5}, True),
    ({"minLength": 3}, {"type": "integer"}, True),
    ({"maxLength": 3}, {"maxLength": 2, "type": "string"}, True),
    ({"maxLength": 3}, {"enum": ["abcd", 7]}, False),
    ({"pattern": "a"}, {"pattern": "a", "minLength": 1}, True),
    ({"pattern": "a"}, {"pattern": "b"}, False),
    ({"required": ["a"]}, {"required": ["a", "b"]}, True),
    ({"required": ["a", "b"]}, {"required": ["a"]}, False),
    ({"properties": {"a": {"type": "string"}}}, {"additionalProperties": False}, True),
    ({"properties": {"a": {"type": "string"}}}, {}, False),
    ({"additionalProperties": False}, {"properties": {"a": {}}, "additionalProperties": False}, False),
    (
        {"properties": {"a": {}}, "additionalProperties": False},
        {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
        True,
    ),
    ({"additionalProperties": False, "properties": {"a": {}}}, {"additionalProperties": False}, True),
    ({"additionalProperties": False}, {"additionalProperties": False, "patternProperties": {"x": {}}}, False),
    ({"items": {"type": "number"}}, {"items": {"type": "integer"}}, True),
    ({"items": {"type": "string"}}, {"items": {"type": "string"}, "prefixItems": [{}]}, False),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}, True),
    ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
    ({"type": "string"}, {"oneOf": [{"type": "string"}, {"type": "null"}]}, False),
    ({"allOf": [{"minimum": 1}, {"maximum": 5}]}, {"minimum": 2, "maximum": 3}, True),
    ({"minimum": 1}, {"allOf": [{"minimum": 2}]}, True),
    ({"not": {"type": "string"}}, {"not": {"type": "string"}}, True),
    ({"not": {"type": "string"}}, {"type": "integer"}, False),
    ({"$ref": "#/$defs/a", "$defs": {"a": {}}}, {"$ref": "#/$defs/a", "$defs": {"a": {}}}, True),
    ({"$ref": "#/$defs/a", "$defs": {"a": {}}}, {"$ref": "#/$defs/a", "$defs": {"a": False}}, False),
    ({"title": "new words"}, {"title": "old words"}, True),
    ({"required": [["a"], {"b": 1}], "properties": [], "type": 7}, {"items": [1]}, False),
]


@pytest.mark.parametrize(("wide", "narrow", "expected"), CASES)
def test_one_schema_contains_another(wide: Any, narrow: Any, expected: bool) -> None:
    assert contains((wide,), (narrow,)) is expected
    assert contains((wide,), (wide,)), "a schema contains itself"


def test_schemas_that_hold_together_are_stronger_than_each() -> None:
    assert contains(({"type": "integer", "minimum": 1},), ({"type": "integer"}, {"minimum": 2}))
    assert not contains(({"type": "integer"}, {"minimum": 3}), ({"type": "integer"}, {"minimum": 2}))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
small = st.integers(-2, 3)
types = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "enum": st.lists(values, min_size=1, max_size=3),
            "minimum": small,
            "exclusiveMinimum": small,
            "maximum": small,
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "required": st.lists(st.sampled_from("xy"), max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
            "patternProperties": st.dictionaries(st.just("x"), inner, max_size=1),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=1),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    )


schemas = st.recursive(st.booleans() | _schemas(st.booleans()), _schemas, max_leaves=4)


@law(400)
@given(schemas, schemas, st.lists(values, min_size=5, max_size=20))
def test_a_sure_answer_is_never_contradicted_by_a_value(wide: Any, narrow: Any, samples: list[Any]) -> None:
    if contains((wide,), (narrow,)):
        inside, outside = Draft202012Validator(narrow), Draft202012Validator(wide)
        for value in samples:
            assert not inside.is_valid(value) or outside.is_valid(value), value


@law(200)
@given(schemas)
def test_every_schema_contains_itself_and_is_contained_in_no_restriction(schema: Any) -> None:
    assert contains((schema,), (schema,))
    assert contains(({},), (schema,))
    assert contains((schema,), (False,))


NOT_UNDERSTOOD = {"not", "oneOf", "patternProperties", "prefixItems"}


def _is_plain(schema: Any) -> bool:
    if isinstance(schema, dict):
        return NOT_UNDERSTOOD.isdisjoint(schema) and all(map(_is_plain, schema.values()))
    return not isinstance(schema, list) or all(map(_is_plain, schema))


plain = _schemas(st.booleans() | _schemas(st.booleans())).filter(_is_plain).filter(bool)


@law(150)
@given(plain, st.data())
def test_a_plain_schema_is_contained_in_what_is_left_without_one_of_its_keywords(
    schema: Any, data: st.DataObject
) -> None:
    dropped = data.draw(st.sampled_from(sorted(schema)))
    if dropped == "properties" and "additionalProperties" in schema:
        return  # what was named is then under the schema of the others
    assert contains(({key: value for key, value in schema.items() if key != dropped},), (schema,))


def _nested(depth: int, kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    for _ in range(depth):
        schema = {"anyOf": [schema, {"type": "null", "properties": {"x": schema}}]}
    return schema


def test_schemas_made_to_be_slow_are_given_up() -> None:
    many = {"anyOf": [{"enum": [n], "pattern": str(n)} for n in range(3000)]}
    others = {"anyOf": [{"enum": [-n], "pattern": str(n)} for n in range(1, 3000)]}
    conjunction = {"allOf": [{"anyOf": [{"minimum": n}, {"maximum": -n}]} for n in range(2000)]}
    begin = time.perf_counter()
    assert not contains((many,), (others,))
    assert not contains((_nested(10, "string"),), (_nested(10, "integer"),))
    assert not contains(({"not": {}},), (conjunction,))
    assert time.perf_counter() - begin < 10
