"""The AST as JSON data, and its schema."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Any

import jsonschema
import pytest

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.json_schema import constraints_schema, subgraph_schema
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.json_view import document_view, node_view, subgraph_view
from agentic_dsl.node_table import NODE_TABLE, Assign, End, UnknownNode
from agentic_dsl.paths import Path

FIXTURES = sorted((File(__file__).parents[1] / "fixtures" / "canonical").glob("*.md"))
SCHEMA = jsonschema.Draft202012Validator(subgraph_schema())


def test_the_view_has_the_shape_of_the_yaml() -> None:
    text = (
        "### AgenticDSL `/dynamic/plan`\n```yaml\ngraph_type: subgraph\n"
        "signature: '(x) -> {y: int}'\nentry: a\nnodes:\n"
        "  - {id: j, type: join, wait_for: '@all', next: e}\n"
        "  - {id: a, type: assign, assign: {y: [1, {k: null}]}, next: j}\n"
        "  - {id: e, type: end, termination_mode: soft}\n```\n"
    )
    [subgraph] = parse(text).subgraphs
    assert subgraph_view(subgraph) == {
        "path": "/dynamic/plan",
        "signature": "(x: any) -> {y: integer}",
        "version": None,
        "stability": None,
        "requires": None,
        "permissions": None,
        "entry": "a",
        "nodes": [
            {"id": "a", "type": "assign", "assign": {"y": [1, {"k": None}]}, "next": ["/dynamic/plan/j"]},
            {"id": "j", "type": "join", "join": {"wait_for": ["/dynamic/plan/a"]}, "next": ["/dynamic/plan/e"]},
            {"id": "e", "type": "end", "metadata": {"termination_mode": "soft"}},
        ],
        "extra": {},
    }


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.stem)
def test_a_document_becomes_json_and_its_subgraphs_follow_the_schema(file: File) -> None:
    document = parse(file.read_bytes().decode())
    view = document_view(document)
    assert json.loads(json.dumps(view, allow_nan=False)) == view
    assert [block["kind"] for block in view["blocks"]] == [type(block).__name__.lower() for block in document.blocks]
    for subgraph in document.subgraphs:
        if "unknown" not in file.stem:
            SCHEMA.validate(subgraph_view(subgraph))


def test_a_single_node_block_is_a_subgraph_of_one_node() -> None:
    [subgraph] = parse("### AgenticDSL `/main/stop`\n```yaml\ntype: end\n```\n").subgraphs
    view = subgraph_view(subgraph)
    assert (view["path"], view["entry"]) == ("/main/stop", "stop")
    assert view["nodes"] == [{"id": "stop", "type": "end"}]


def test_numbers_that_json_lacks_are_words() -> None:
    node = Assign(id="a", assign={"x": (float("inf"), float("-inf"), float("nan"))})
    assert node_view(node)["assign"] == {"x": [".inf", "-.inf", ".nan"]}


def test_words_are_plain_strings() -> None:
    view = node_view(End(id="e", termination_mode="soft"))
    assert type(view["id"]) is type(view["metadata"]["termination_mode"]) is str


def test_unknown_nodes_and_keys_are_in_the_view() -> None:
    node = UnknownNode(id="u", type_name="dream", extra={"of": ("sheep",)})
    assert node_view(node) == {"id": "u", "type": "dream", "of": ["sheep"]}
    view = subgraph_view(Subgraph(path=Path(("main", "p")), nodes=(node,), extra={"owner": "me", "path": "x"}))
    assert (view["path"], view["extra"]) == ("/main/p", {"owner": "me", "path": "x"})


# --- schemas ---------------------------------------------------------------------------------------------------------


def test_the_schemas_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(subgraph_schema())
    jsonschema.Draft202012Validator.check_schema(constraints_schema())


def test_every_type_of_the_table_has_a_schema_with_its_required_fields() -> None:
    definitions = subgraph_schema()["$defs"]
    for name, spec in NODE_TABLE.items():
        definition = definitions[name]
        assert definition["properties"]["type"] == {"const": name}
        for field in spec.fields:
            at: dict[str, Any] = definition
            for key in field.path:
                assert key in at["properties"]
                if field.required and field.alternative is None:
                    assert key in at["required"]
                at = at["properties"][key]


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"type": "dream"}, False),
        ({"id": 5}, False),
        ({"next": []}, False),
        ({"next": "b"}, False),
        ({"output_keys": None}, False),
        ({"arguments": "{{ all }}"}, True),
        ({"arguments": 3}, False),
        ({"colour": "red"}, True),
    ],
)
def test_the_schema_tells_a_node_from_what_is_none(change: dict[str, Any], valid: bool) -> None:
    node = {"id": "a", "type": "tool_call", "tool": "t", "output_keys": ["r"], "next": ["/main/p/b"]} | change
    subgraph = dict.fromkeys(("signature", "version", "stability", "requires", "permissions", "entry"))
    view = subgraph | {"path": "/main/p", "nodes": [{k: v for k, v in node.items() if v is not None}], "extra": {}}
    assert SCHEMA.is_valid(view) is valid


def test_a_constraints_file_follows_the_schema_of_constraints() -> None:
    validator = jsonschema.Draft202012Validator(constraints_schema())
    constraints = Constraints(tools=(ToolSpec(name="t", parameters={"type": "object"}),), max_nodes=3)
    validator.validate(json.loads(constraints.canonical_json))
    assert not validator.is_valid({"max_nodes": 0})
    assert not validator.is_valid({"nodes": 3})
