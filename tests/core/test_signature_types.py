"""Signatures as data, and their printing."""

import jsonschema
import pytest

from agentic_dsl.format import format_signature
from agentic_dsl.format_contracts import signature_data
from agentic_dsl.signature import ANY, TYPE_ALIASES, TYPE_NAMES, FieldType, Parameter, Signature

NUMBER, STRING = FieldType("number"), FieldType("string")


def test_aliases_name_types_of_the_language() -> None:
    assert set(TYPE_ALIASES.values()) <= set(TYPE_NAMES)
    assert not set(TYPE_ALIASES) & set(TYPE_NAMES)


@pytest.mark.parametrize(
    ("type_", "text", "good", "bad"),
    [
        (ANY, "any", None, ...),
        (NUMBER, "number", 1.5, "x"),
        (FieldType("array", FieldType("array", STRING)), "array<array<string>>", [["a"]], [[1]]),
        (FieldType("object"), "object", {}, []),
    ],
)
def test_a_type_has_a_text_and_a_schema(type_: FieldType, text: str, good: object, bad: object) -> None:
    assert str(type_) == text
    validator = jsonschema.Draft202012Validator(type_.json_schema())
    assert validator.is_valid(good)
    assert bad is ... or not validator.is_valid(bad)


def test_required_names_are_those_that_are_not_optional() -> None:
    signature = Signature(
        (Parameter("a"), Parameter("b", required=False)), (Parameter("c"), Parameter("d", required=False))
    )
    assert signature.required_inputs == ("a",)
    assert signature.required_outputs == ("c",)


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        (Signature(), "() -> ()"),
        (Signature((Parameter("a", NUMBER),), (Parameter("sum", NUMBER),)), "(a: number) -> {sum: number}"),
        (Signature((Parameter("x"),)), "(x: any) -> ()"),
        (
            Signature(
                (Parameter("n", FieldType("integer"), required=False, default=3),), (Parameter("r", required=False),)
            ),
            "(n?: integer = 3) -> {r?: any}",
        ),
        (
            Signature((Parameter("t", NUMBER, required=False, default=0.0),), (Parameter("r"),)),
            "(t?: number = 0.0) -> {r: any}",
        ),
        (
            Signature((Parameter("s", STRING, required=False, default='a "b"\n'),), (Parameter("r"),)),
            '(s?: string = "a \\"b\\"\\n") -> {r: any}',
        ),
        (
            Signature((Parameter("f", FieldType("boolean"), required=False, default=False),), (Parameter("r"),)),
            "(f?: boolean = false) -> {r: any}",
        ),
    ],
)
def test_a_signature_that_fits_is_printed_as_one_string(signature: Signature, text: str) -> None:
    assert format_signature(signature) == text
    assert signature_data(signature) == text


@pytest.mark.parametrize(
    ("parameter", "data"),
    [
        (Parameter("a", STRING, description="what"), {"name": "a", "type": "string", "description": "what"}),
        (Parameter("a", schema={"minimum": 1}), {"name": "a", "schema": {"minimum": 1}}),
        (Parameter("a b"), {"name": "a b"}),
        (Parameter("a", default=1), {"name": "a", "required": True, "default": 1}),
    ],
)
def test_a_signature_that_would_lose_something_is_printed_as_a_mapping(parameter: Parameter, data: object) -> None:
    assert signature_data(Signature((parameter,))) == {"inputs": [data]}
    assert signature_data(Signature((), (parameter,))) == {"outputs": [data]}
