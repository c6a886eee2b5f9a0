"""The report names every constraint, and says what enforces it."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.pipeline import Level, compile
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.errors import ConstraintError
from tests.compiler.grammar.requests import LIBRARIES, REQUESTS, TOOLS


def levels(constraints: Constraints, *, count_in_grammar: bool = True) -> dict[str, str]:
    return {
        entry.constraint: entry.level.value for entry in compile(constraints, count_in_grammar=count_in_grammar).report
    }


@pytest.mark.parametrize("name", REQUESTS)
def test_no_constraint_is_missing(name: str) -> None:
    report = compile(REQUESTS[name]).report
    assert [e.constraint for e in report if e.constraint in Constraints.model_fields] == list(Constraints.model_fields)
    assert all(entry.detail for entry in report)
    assert all(entry.constraint.split(".")[0] in (*Constraints.model_fields, "language") for entry in report)


def test_counts_are_in_the_grammar_unless_it_does_not_count() -> None:
    constraints = Constraints(min_nodes=2, max_nodes=5)
    assert levels(constraints)["max_nodes"] == levels(constraints)["min_nodes"] == "grammar"
    uncounted = levels(constraints, count_in_grammar=False)
    assert uncounted["max_nodes"] == uncounted["min_nodes"] == "overlay"


def test_counts_over_several_blocks_are_left_to_the_matcher() -> None:
    found = levels(Constraints(max_subgraphs=2, min_nodes=2))
    assert found["max_nodes"] == found["min_nodes"] == found["max_subgraphs.paths"] == "overlay"
    assert found["max_subgraphs"] == "grammar"


def test_each_keyword_that_the_grammar_leaves_is_named() -> None:
    tool = ToolSpec(
        name="t",
        parameters={
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 1}, "never": False},
            "minProperties": 1,
        },
    )
    details = {entry.constraint: entry for entry in compile(Constraints(tools=(tool,))).report}
    assert details["tools.t"].detail == "minProperties: arguments are given only as they are allowed together"
    assert details["tools.t"].level is Level.OVERLAY
    assert details["tools.t.n"].detail == "minimum: held while the value is written"
    assert details["tools.t.n"].level is Level.OVERLAY
    bare = {entry.constraint: entry for entry in compile(Constraints(tools=(tool,)), dialect="gbnf").report}
    assert bare["tools.t"].detail == "not in the grammar: minProperties"
    assert bare["tools.t.n"].detail == "not in the grammar: minimum"
    assert bare["tools.t.n"].level is Level.CHECKED
    assert details["tools.t.never"].level is Level.GRAMMAR


def test_what_a_schema_says_in_other_ways_and_what_it_refuses_is_named() -> None:
    tools = (
        ToolSpec(name="t", parameters={"properties": {"s": {"type": "string", "pattern": "^a"}}}),
        ToolSpec(name="u", parameters={"properties": {"s": {}}, "minProperties": 2}),
        ToolSpec(name="v", parameters={"properties": {"s": {}}, "required": ["x"]}),
    )
    details = {entry.constraint: entry for entry in compile(Constraints(tools=tools)).report}
    assert details["tools.t.s"].detail == "pattern: a value is surely allowed, or a template"
    assert details["tools.u"].detail == "never called: no call is surely valid under minProperties"
    assert details["tools.v"].detail == 'never called: "x" is required and is none of its arguments'
    assert {details[f"tools.{name}"].level for name in ("t.s", "u", "v")} == {Level.OVERLAY}
    with pytest.raises(ConstraintError, match="no call is surely valid under minProperties"):
        compile(Constraints(tools=tools[1:2], allowed_node_types=("tool_call",)))


def test_what_rules_out_a_type_that_was_allowed_is_said() -> None:
    constraints = Constraints(allowed_node_types=("tool_call", "assign"), tools=())
    details = {entry.constraint: entry.detail for entry in compile(constraints).report}
    assert details["allowed_node_types"] == "one of: assign"
    assert details["allowed_node_types.excluded"] == "ruled out by layer, tools or depth: tool_call"


def test_a_permission_that_fits_on_no_line_is_never_asked_for() -> None:
    spec = compile(Constraints(permissions=('runtime: "a b"', "network")))
    assert "a b" not in spec.grammar
    assert any(e.constraint.startswith("permissions.") and "never asked" in e.detail for e in spec.report)


def test_a_contract_with_everything_has_no_unsupported_entry() -> None:
    constraints = Constraints(
        path="/lib/tool/x",
        signature="(a: string) -> {b: string}",
        tools=TOOLS,
        libraries=LIBRARIES,
        context=ContextSignature(available_vars={"a": "string"}, required_outputs=("c",)),
        max_output_tokens=500,
        permissions=("network",),
        targets=("/end",),
    )
    assert "unsupported" not in levels(constraints).values()
