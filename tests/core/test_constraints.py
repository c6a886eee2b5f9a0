"""The contract of one generation: what it takes, what it refuses, how it is hashed."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from agentic_dsl.ast import Document, ExecutionBudget, Meta, ResourceEntry, Resources, Subgraph
from agentic_dsl.constraints import (
    MAX_DEFAULT_NODES,
    MAX_TOOLS,
    Constraints,
    ContextSignature,
    LibrarySpec,
    ToolSpec,
)
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES, Start
from agentic_dsl.paths import Path

META = Path(("__meta__",))
RESOURCES = Path(("__meta__", "resources"))


def test_the_defaults_are_those_of_the_design() -> None:
    constraints = Constraints()
    assert (constraints.path, constraints.max_nodes, constraints.min_nodes) == ("/dynamic/plan", 20, 1)
    assert (constraints.max_subgraphs, constraints.max_subgraph_depth) == (1, 1)
    assert constraints.allowed_node_types is None
    assert constraints.tools is None
    assert (constraints.max_text_chars, constraints.max_identifier_chars) == (400, 32)
    assert str(constraints.block_path) == constraints.path


@pytest.mark.parametrize(
    ("arguments", "field", "word"),
    [
        ({"path": "/main/plan"}, "path", "/main/plan"),
        ({"path": "/dynamic"}, "path", "/dynamic"),
        ({"path": "plan"}, "path", "plan"),
        ({"path": "/dynamic/a b"}, "path", "a b"),
        ({"max_nodes": 0}, "max_nodes", "1"),
        ({"max_nodes": 10_001}, "max_nodes", "10000"),
        ({"max_nodes": "many"}, "max_nodes", "integer"),
        ({"min_nodes": 3, "max_nodes": 2}, "min_nodes", "max_nodes"),
        ({"max_subgraphs": 0}, "max_subgraphs", "1"),
        ({"max_subgraph_depth": -1}, "max_subgraph_depth", "0"),
        ({"allowed_node_types": ("resource",)}, "allowed_node_types", "resource"),
        ({"allowed_node_types": ("asign",)}, "allowed_node_types", "asign"),
        ({"allowed_node_types": ()}, "allowed_node_types", "no node type"),
        ({"tools": [{"name": "a"}, {"name": ""}]}, "tools.1.name", "1"),
        ({"tools": [{"name": "a\n"}]}, "tools.0.name", "layout"),
        ({"tools": [{"name": "{{ x }}"}]}, "tools.0.name", "layout"),
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "tools", '"a"'),
        ({"tools": [{"name": "a", "params": {}}]}, "tools.0.params", "not permitted"),
        ({"libraries": [{"path": "/main/x"}]}, "libraries.0.path", "/main/x"),
        ({"libraries": [{"path": "/lib/x", "version": "new"}]}, "libraries.0.version", "new"),
        ({"libraries": [{"path": "/lib/x"}, {"path": "/lib/x"}]}, "library", "/lib/x"),
        ({"targets": ("somewhere",)}, "targets", "somewhere"),
        ({"context": {"available_vars": {"x": "text"}}}, "context.available_vars", "text"),
        ({"context": {"available_vars": {"a b": "string"}}}, "context", "a b"),
        ({"context": {"required_outputs": ["9"]}}, "context", "9"),
        ({"nodes": 3}, "nodes", "not permitted"),
    ],
)
def test_a_contradiction_is_an_error_of_ours_that_names_the_field(
    arguments: dict[str, Any], field: str, word: str
) -> None:
    with pytest.raises(ConstraintError) as caught:
        Constraints(**arguments)
    assert field in caught.value.message
    assert word in caught.value.message
    assert "schema" in (caught.value.help or "")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ToolSpec(name=""),
        lambda: LibrarySpec(path="x"),
        lambda: ContextSignature(available_vars={"a b": "any"}),
        lambda: Constraints.model_validate({"min_nodes": 9, "max_nodes": 1}),
        lambda: Constraints.model_validate_json('{"max_nodes": "x"}'),
    ],
)
def test_every_way_to_build_one_fails_with_an_error_of_ours(make: Any) -> None:
    with pytest.raises(ConstraintError):
        make()


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(ConstraintError) as caught:
        Constraints(max_nodes=0, max_subgraphs=0)
    assert "max_nodes" in caught.value.message
    assert "max_subgraphs" in caught.value.message


def test_allowed_types_are_kept_in_the_order_of_the_table() -> None:
    constraints = Constraints(allowed_node_types=tuple(reversed(GENERATED_TYPES)))
    assert constraints.allowed_node_types == GENERATED_TYPES


def test_a_list_of_context_names_means_any_type_and_type_names_lose_their_aliases() -> None:
    assert ContextSignature.model_validate({"available_vars": ["a"]}).available_vars == {"a": "any"}
    typed = ContextSignature(available_vars={"n": "int", "xs": "list<str>", "o": "object"})
    assert typed.available_vars == {"n": "integer", "xs": "array<string>", "o": "object"}


def test_a_library_is_called_with_its_version_where_it_has_one() -> None:
    assert LibrarySpec(path="/lib/x/y", version="1.2").reference == "/lib/x/y@v1.2"
    assert LibrarySpec(path="/lib/x/y").reference == "/lib/x/y"


def test_the_canonical_json_is_stable_ascii_and_reads_back() -> None:
    one = Constraints(tools=(ToolSpec(name="ä", parameters={"b": 1, "a": {"y": 1, "x": "\ud800"}}),), max_nodes=5)
    tools: Any = [{"parameters": {"b": 1, "a": {"y": 1, "x": "\ud800"}}, "name": "ä"}]
    two = Constraints(max_nodes=5, tools=tools)
    assert one == two
    assert one.canonical_json == two.canonical_json
    assert one.canonical_json.isascii()
    assert "\n" not in one.canonical_json
    assert Constraints(**json.loads(one.canonical_json)) == one
    assert one.digest == two.digest != Constraints(max_nodes=6).digest
    assert len(one.digest) == 64


def test_contracts_that_order_arguments_otherwise_allow_other_documents_and_have_other_digests() -> None:
    here, there = (
        Constraints(tools=(ToolSpec(name="book", parameters={"properties": {name: {} for name in names}}),))
        for names in (("origin", "day"), ("day", "origin"))
    )
    assert here.digest != there.digest


def test_constraints_survive_pickling_and_cannot_be_changed() -> None:
    constraints = Constraints(max_nodes=3)
    assert pickle.loads(pickle.dumps(constraints)) == constraints
    with pytest.raises(ValidationError, match="frozen"):
        constraints.max_nodes = 4


# --- from a document -------------------------------------------------------------------------------------------------


def _application(budget: ExecutionBudget, *entries: ResourceEntry, nodes: int = 0) -> Document:
    main = Subgraph(path=Path(("main", "p")), nodes=tuple(Start(id=f"n{i}") for i in range(nodes)))
    resources = [Resources(path=RESOURCES, entries=entries)] if entries else []
    return Document(blocks=(Meta(path=META, execution_budget=budget), *resources, main))


def test_a_document_without_a_budget_implies_the_defaults() -> None:
    assert Constraints.from_document(Document()) == Constraints()
    assert Constraints.from_document(_application(ExecutionBudget())) == Constraints()


def test_the_nodes_already_written_are_taken_off_the_budget() -> None:
    document = _application(ExecutionBudget(max_nodes=12, max_subgraph_depth=0), nodes=4)
    implied = Constraints.from_document(document)
    assert (implied.max_nodes, implied.max_subgraph_depth) == (8, 0)
    large = _application(ExecutionBudget(max_nodes=5000))
    assert Constraints.from_document(large).max_nodes == MAX_DEFAULT_NODES


@pytest.mark.parametrize("limit", [0, 3, 4])
def test_a_budget_that_is_used_up_is_an_error_unless_the_caller_overrides_it(limit: int) -> None:
    document = _application(ExecutionBudget(max_nodes=limit), nodes=4)
    with pytest.raises(ConstraintError, match="none is left"):
        Constraints.from_document(document)
    assert Constraints.from_document(document, max_nodes=2).max_nodes == 2


def test_resources_give_the_tools_and_the_depth() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"q": {"type": "string"}}}
    document = _application(
        ExecutionBudget(max_subgraph_depth=3),
        ResourceEntry("tool", "web_search", {"description": "searches", "parameters": schema, "scope": "read"}),
        ResourceEntry("generate_subgraph", None, {"max_depth": 2}),
        ResourceEntry("runtime", "python3", {}),
    )
    implied = Constraints.from_document(document)
    assert implied.tools == (ToolSpec(name="web_search", description="searches", parameters=schema),)
    assert implied.max_subgraph_depth == 2


def test_resources_without_tools_allow_none() -> None:
    document = _application(ExecutionBudget(), ResourceEntry("runtime", "python3", {}))
    assert Constraints.from_document(document).tools == ()


def test_an_unlimited_depth_in_the_resources_is_no_limit() -> None:
    document = _application(ExecutionBudget(), ResourceEntry("generate_subgraph", None, {"max_depth": -1}))
    assert Constraints.from_document(document).max_subgraph_depth == Constraints().max_subgraph_depth


def test_a_library_gives_the_entries_and_overrides_win() -> None:
    class Library:
        def specs(self) -> tuple[LibrarySpec, ...]:
            return (LibrarySpec(path="/lib/x/y", version="1"),)

    implied = Constraints.from_document(Document(), library=Library(), max_nodes=3)
    assert implied.libraries == (LibrarySpec(path="/lib/x/y", version="1"),)
    assert implied.max_nodes == 3


def test_too_many_tools_are_refused() -> None:
    with pytest.raises(ConstraintError, match="10,001 tools"):
        Constraints(tools=tuple(ToolSpec(name=f"t{i}") for i in range(MAX_TOOLS + 1)))
