"""JSON Schemas of arguments: what a line can hold of them, what is left to the check, what cannot be compiled."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_dsl.compiler.grammar.schema import Parameter, tool_parameters
from agentic_dsl.compiler.grammar.value_rules import ANY, ANY_SCALAR, Shape, kind_of, shape, value_line
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import ConstraintError

STRING, NUMBER, INTEGER, NULL = (shape([kind]) for kind in ("string", "number", "integer", "null"))
NESTED = {"type": "object", "properties": {"a": {}}}


def parameter(schema: Any, **around: Any) -> Parameter:
    tool = ToolSpec(name="t", parameters={"type": "object", "properties": {"p": schema}, "required": ["p"], **around})
    [found] = tool_parameters(tool).parameters
    return found


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "string"}, STRING),
        ({"type": "string", "description": "…", "default": "x", "title": "T"}, STRING),
        ({"type": ["integer", "null"]}, shape(["integer", "null"])),
        ({"type": ["integer", "number"]}, NUMBER),
        ({"enum": ["a", 1, None, True]}, Shape(literals=("a", 1, None, True))),
        ({"type": "string", "enum": ["a", 1]}, Shape(literals=("a",))),
        ({"type": "integer", "enum": [1, 2.0, 2.5]}, Shape(literals=(1, 2.0))),
        ({"const": "x"}, Shape(literals=("x",))),
        ({"enum": [["a", 1], "b"]}, Shape(literals=(("a", 1), "b"))),
        ({"enum": [1, 1.0, 1, True]}, Shape(literals=(1, True))),
        ({"type": "array", "items": {"type": "string"}}, shape(["array"], items=STRING)),
        ({"type": "array"}, shape(["array"], items=ANY_SCALAR)),
        ({"type": "array", "items": NESTED}, shape(["array"], items=Shape())),
        ({"type": "array", "items": {"enum": [1, 2]}}, shape(["array"], items=Shape(literals=(1, 2)))),
        ({"type": "object"}, shape(["object"])),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, shape(["string", "integer"])),
        ({"oneOf": [{"enum": ["auto"]}, {"type": "integer"}]}, shape(["integer"], ["auto"])),
        ({"anyOf": [{"type": "string"}, {"enum": ["a", 3]}]}, shape(["string"], [3])),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": ["integer", "null"]}]}, INTEGER),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, INTEGER),
        ({"type": "string", "nullable": True}, shape(["string", "null"])),
        ({"$ref": "#/$defs/unit"}, Shape(literals=("m", "km"))),
        ({"$ref": "#/$defs/alias", "description": "…"}, Shape(literals=("m", "km"))),
        ({"$ref": "#/$defs/list/0"}, NULL),
        ({"type": "array", "items": {"$ref": "#/$defs/unit"}}, shape(["array"], items=Shape(literals=("m", "km")))),
        ({}, ANY),
        (True, ANY),
        ({"description": "anything"}, ANY),
    ],
)
def test_a_schema_becomes_the_values_that_a_line_can_hold(schema: Any, wanted: Shape) -> None:
    definitions = {"unit": {"enum": ["m", "km"]}, "alias": {"$ref": "#/$defs/unit"}, "list": [{"type": "null"}]}
    assert parameter(schema, **{"$defs": definitions}).shape == wanted


@pytest.mark.parametrize(
    ("schema", "checked"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 5}, ("minimum", "maximum")),
        ({"type": "string", "pattern": "a+", "format": "date"}, ("pattern", "format")),
        ({"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}, ("minLength",)),
        ({"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}, ("minItems", "minimum")),
        ({"type": "array", "items": [{"type": "string"}]}, ("items",)),
        ({"enum": ["{{ x }}", "y"]}, ("enum",)),
        ({"enum": [{"a": 1}, "y"]}, ("enum",)),
        ({"type": "string"}, ()),
    ],
)
def test_what_no_line_can_show_is_named_for_the_check(schema: Any, checked: tuple[str, ...]) -> None:
    assert parameter(schema).checked == checked


def test_a_tool_without_a_schema_takes_no_arguments() -> None:
    assert tool_parameters(ToolSpec(name="t")).parameters == ()


def test_a_required_name_without_a_schema_may_hold_anything() -> None:
    tool = ToolSpec(name="t", parameters={"type": "object", "required": ["p"]})
    assert tool_parameters(tool).parameters == (Parameter("p", True, ANY),)


def test_keywords_over_all_arguments_are_left_to_the_check() -> None:
    schema = {"type": "object", "properties": {}, "minProperties": 1, "additionalProperties": True, "title": "T"}
    assert tool_parameters(ToolSpec(name="t", parameters=schema)).checked == ("minProperties",)


def test_an_optional_argument_without_any_value_is_left_out() -> None:
    schema = {"type": "object", "properties": {"p": False, "q": {"type": "string"}}}
    found = tool_parameters(ToolSpec(name="t", parameters=schema))
    assert [p.name for p in found.parameters] == ["q"]
    assert found.left_out == ("p",)


CANNOT_BE_COMPILED: tuple[tuple[Any, str, str], ...] = (
    ({"type": "array"}, "the schema of the arguments is not that of an object", '"type"'),
    ({"properties": []}, '"properties" is not a mapping', "one schema for each"),
    ({"required": "p"}, '"required" is not a list of names', "required parameters"),
    ({"properties": {"p": "string"}}, 'parameter "p": "string" stands where a schema belongs', "mapping"),
    ({"properties": {"p": {"type": "text"}}}, 'parameter "p": "type" is ["text"]', "string, number"),
    ({"properties": {"p": {"type": []}}}, 'parameter "p": "type" is []', "use one of"),
    ({"properties": {"p": {"enum": []}}}, 'parameter "p": "enum" is not a list of values', "at least one"),
    ({"properties": {"p": {"enum": "a"}}}, 'parameter "p": "enum" is not a list of values', "at least one"),
    ({"properties": {"p": {"enum": [float("nan")]}}}, 'parameter "p": a value of its enum is no JSON value', "JSON"),
    ({"properties": {"p": {"anyOf": []}}}, 'parameter "p": "anyOf" is not a list of schemas', "at least one"),
    ({"properties": {"p": False}, "required": ["p"]}, 'parameter "p": no value satisfies its schema', "optional"),
    (
        {"properties": {"p": {"type": "string", "enum": [1]}}, "required": ["p"]},
        'parameter "p": no value satisfies its schema',
        "optional",
    ),
    ({"properties": {"p": {"$ref": "#/$defs/x"}}}, 'parameter "p": "$ref": "#/$defs/x" names nothing', "$defs"),
    ({"properties": {"p": {"$ref": "other.json"}}}, 'parameter "p": "$ref": "other.json" leads out', "$defs"),
    (
        {"properties": {"p": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
        'parameter "p": "$ref": "#/$defs/a" leads back to itself',
        "in full",
    ),
    (
        {
            "properties": {"p": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}},
        },
        'parameter "p": its schema nests too deeply',
        "flatten",
    ),
)


@pytest.mark.parametrize(("schema", "message", "help_"), CANNOT_BE_COMPILED)
def test_a_schema_that_cannot_be_compiled_names_tool_parameter_and_remedy(
    schema: Any, message: str, help_: str
) -> None:
    with pytest.raises(ConstraintError) as caught:
        tool_parameters(ToolSpec(name="get it", parameters=schema))
    assert caught.value.message.startswith('tool "get it"')
    assert message in caught.value.message
    assert caught.value.help is not None
    assert help_ in caught.value.help


def test_a_list_of_lists_refers_to_itself_without_harm() -> None:
    tree = {"type": "array", "items": {"$ref": "#/$defs/tree"}}
    found = parameter({"type": "string"}, **{"$defs": {"tree": tree}})
    assert found.shape == STRING


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.0, "integer"), (1.5, "number"), ("", "string")],
)
def test_kinds_are_those_of_json_schema(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


def test_shapes_of_equal_kinds_share_their_rule() -> None:
    line, rules = value_line(shape(["integer", "null"], ["auto"]))
    other, same = value_line(shape(["null", "integer"], ["never"]))
    assert rules.keys() == same.keys()
    assert line != other


def test_lists_with_other_enums_have_rules_of_their_own() -> None:
    _, one = value_line(shape(["array"], items=Shape(literals=(1, 2))))
    _, other = value_line(shape(["array"], items=Shape(literals=(1, 3))))
    assert not one.keys() & other.keys()
