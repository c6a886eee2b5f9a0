"""Tools as compact lines."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_dsl.constraints import LibrarySpec, ToolSpec
from agentic_dsl.runtime.tool_lines import ROOM_CHARS, library_line, schema_type, tool_line, tool_lines


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"enum": ["a", "b", 3, True, None]}, "a|b|3|true|null"),
        ({"enum": ["two words", "x|y"]}, '"two words"|"x|y"'),
        ({"enum": [f"v{n}" for n in range(30)]}, "|".join([f"v{n}" for n in range(24)] + ["…"])),
        ({"const": "only"}, "only"),
        ({"type": ["string", "null"]}, "string|null"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "string"}]}, "string|integer"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": {"type": "number"}}, "array<number>"),
        ({"type": "array", "items": {"enum": ["x", "y"]}}, "array<x|y>"),
        ({"type": "object"}, "object"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
            "{a: string, b?: any}",
        ),
        ({"properties": {"a": {"type": "integer"}}}, "{a?: integer}"),
        ({}, "any"),
        ({"type": []}, "any"),
        (True, "any"),
        (None, "any"),
        ({"type": "object", "properties": ["nonsense"]}, "object"),
        ({"type": "line\nend"}, "line end"),
    ],
)
def test_a_schema_is_a_short_type(schema: Any, expected: str) -> None:
    assert schema_type(schema) == expected


def test_deep_schemas_stay_short() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(50):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    assert schema_type(schema) == "{x: {x: {x: object}}}"


def test_a_tool_is_one_line_with_required_and_optional_arguments() -> None:
    tool = ToolSpec(
        name="search",
        description="Searches the\nweb. With care.",
        parameters={
            "type": "object",
            "properties": {"query": {"type": "string"}, "sort": {"enum": ["new", "best"]}},
            "required": ["query"],
        },
        returns={"type": "object", "properties": {"hits": {"type": "array", "items": {"type": "string"}}}},
    )
    assert tool_line(tool) == "search(query: string, sort?: new|best) -> {hits: array<string>} # Searches the web"


def test_a_tool_that_says_nothing_is_its_name() -> None:
    assert tool_line(ToolSpec(name="ping")) == "ping()"


def test_a_library_is_the_reference_that_calls_it_with_its_signature() -> None:
    library = LibrarySpec(
        path="/lib/math/add", signature="(a: number) -> {sum: number}", version="1", description="Adds."
    )
    assert library_line(library) == "/lib/math/add@v1(a: number) -> {sum: number} # Adds"


def wide_tool(number: int, fields: int) -> ToolSpec:
    properties = {f"field_number_{n}": {"type": "string"} for n in range(fields)}
    return ToolSpec(
        name=f"tool_{number}",
        description="Does something that takes a few words to say.",
        parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        returns={"type": "object", "properties": properties},
    )


def test_small_catalogues_are_told_in_full() -> None:
    [line] = tool_lines([wide_tool(1, 10)])
    assert "field_number_9: string} # Does something" in line


def test_large_catalogues_lose_results_and_descriptions_but_never_an_argument() -> None:
    lines = tool_lines([wide_tool(n, 60) for n in range(40)])
    assert len(lines) == 40
    assert all(line.startswith(f"tool_{n}(query: string)") for n, line in enumerate(lines))
    assert sum(map(len, lines)) < 40 * 140
    assert "field_number_0: string" in lines[0], "as much of the results as there is room for"
    assert "field_number_59" not in lines[0]


def test_the_most_detail_that_fits_is_taken() -> None:
    lengths = [len("\n".join(tool_lines([wide_tool(n, fields) for n in range(10)]))) for fields in range(0, 60, 4)]
    assert max(lengths) <= ROOM_CHARS
    assert max(lengths) > ROOM_CHARS / 2
