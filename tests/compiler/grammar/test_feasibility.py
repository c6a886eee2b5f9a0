"""Requests that nothing satisfies, and texts of requests that cannot be read, are refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_dsl.compiler.pipeline import DIALECTS, Dialect, compile
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec
from agentic_dsl.errors import ConstraintError

OUTPUT = ContextSignature(available_vars={"there": "any"}, required_outputs=("there", "wanted"))

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "tool calls alone, and no tool": (
        {"allowed_node_types": ("tool_call",), "tools": ()},
        "no node type is left (tool_call: no tool is allowed)",
        "allow another type",
    ),
    "types that a layer-3 library lacks": (
        {"path": "/lib/workflow/x", "allowed_node_types": ("dsl_call", "tool_call")},
        'no node type is left (tool_call: "/lib/workflow/x" is a layer-3 library',
        "allow another type",
    ),
    "generation alone, and no depth": (
        {"allowed_node_types": ("generate_subgraph",), "max_subgraph_depth": 0},
        "max_subgraph_depth is 0",
        "allow another type",
    ),
    "forks alone": ({"allowed_node_types": ("fork",)}, "no subgraph of fork alone", "end"),
    "joins alone": ({"allowed_node_types": ("join",)}, "no subgraph of join alone", "end"),
    "forks and joins, too few nodes": (
        {"allowed_node_types": ("fork", "join"), "max_nodes": 2},
        "with at most 2 nodes, can end",
        "end",
    ),
    "a start alone, and several nodes": (
        {"allowed_node_types": ("start",), "min_nodes": 2},
        "min_nodes is 2",
        "lower min_nodes",
    ),
    "an end alone, and several nodes": (
        {"allowed_node_types": ("end",), "min_nodes": 2},
        "min_nodes is 2, and an answer whose nodes are end alone has at most 1",
        "lower min_nodes",
    ),
    "a fork and ends, too few nodes": (
        {"allowed_node_types": ("fork", "end"), "max_nodes": 2, "min_nodes": 2},
        "min_nodes is 2, and an answer whose nodes are end, fork alone has at most 1",
        "lower min_nodes",
    ),
    "ends alone, and more nodes than blocks": (
        {"allowed_node_types": ("end",), "min_nodes": 4, "max_subgraphs": 3},
        "min_nodes is 4, and an answer whose nodes are end alone has at most 3",
        "lower min_nodes",
    ),
    "more nodes than ids": (
        {"max_identifier_chars": 1, "max_nodes": 40, "min_nodes": 30},
        "has at most 24",
        "longer ids",
    ),
    "asserts alone, and no room for a condition": (
        {"allowed_node_types": ("assert",), "max_text_chars": 8},
        "no condition fits into max_text_chars, which is 8",
        "allow another type",
    ),
    "an output that only calls bring, and no type that could call": (
        {
            "allowed_node_types": ("end", "fork"),
            "context": ContextSignature(required_outputs=("x",)),
            "libraries": (LibrarySpec(path="/lib/x", signature="() -> {x: any}"),),
        },
        'no subgraph of end, fork alone has the required output "x" at every end',
        "assign",
    ),
    "an output that no type writes": (
        {"allowed_node_types": ("end", "assert"), "context": OUTPUT},
        'nothing can write the required output "wanted"',
        "assign",
    ),
    "an output that is no key": (
        {"context": ContextSignature(required_outputs=("Total",))},
        '"Total" is no key that generated text can write',
        "at most 32 lower-case letters",
    ),
    "an output that YAML reads as a value": (
        {"signature": "() -> {on: any}"},
        '"on" is no key',
        "lower-case",
    ),
    "an output that is too long": (
        {"context": ContextSignature(required_outputs=("abcdef",)), "max_identifier_chars": 5},
        '"abcdef" is no key',
        "at most 5",
    ),
    "a signature that cannot be read": ({"signature": "a, b"}, "the signature asked for: ", ""),
    "a permission that cannot be read": ({"permissions": ("moon: full",)}, 'the permission "moon: full": ', ""),
    "a library whose signature cannot be read": (
        {"libraries": (LibrarySpec(path="/lib/a", signature="(", version="1"),)},
        'the signature of the library "/lib/a@v1": ',
        "",
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("fields", "message", "help_"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_met_is_refused_with_a_remedy(
    fields: dict[str, Any], message: str, help_: str, dialect: Dialect
) -> None:
    if dialect == "llguidance-parametric":
        message = help_ = ""  # what it cannot hold may be named first
    with pytest.raises(ConstraintError) as caught:
        compile(Constraints(**fields), dialect=dialect)
    assert message in caught.value.message
    assert caught.value.help
    assert help_ in caught.value.help


FEASIBLE: dict[str, dict[str, Any]] = {
    "a start alone": {"allowed_node_types": ("start",)},
    "a start and joins": {"allowed_node_types": ("start", "join"), "min_nodes": 3},
    "forks and joins": {"allowed_node_types": ("fork", "join"), "max_nodes": 3},
    "asserts alone": {"allowed_node_types": ("assert",), "tools": ()},
    "ends alone, one in each block": {"allowed_node_types": ("end",), "min_nodes": 3, "max_subgraphs": 3},
    "an output that is there from the start": {
        "allowed_node_types": ("end",),
        "context": ContextSignature(available_vars={"Total": "any"}, required_outputs=("Total",)),
    },
    "an output that is an input": {"signature": "(Total: any) -> {Total: any}", "allowed_node_types": ("end",)},
    "an output of a library": {
        "context": ContextSignature(required_outputs=("Total",)),
        "libraries": (LibrarySpec(path="/lib/sum", signature="() -> {Total: number}"),),
    },
}


@pytest.mark.parametrize("fields", FEASIBLE.values(), ids=FEASIBLE.keys())
def test_what_can_be_met_is_compiled(fields: dict[str, Any]) -> None:
    assert compile(Constraints(**fields)).grammar.startswith("root ::= ")
