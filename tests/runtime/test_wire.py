"""Contracts survive the way through a grammar's comment, and nothing else gets in by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl import ConstraintError, Constraints, ToolSpec, compile
from agentic_dsl.runtime.wire import (
    Bounds,
    UnknownVersionError,
    has_contract,
    read_contract,
    with_contract,
)


def test_a_contract_comes_out_as_it_went_in() -> None:
    tools = (ToolSpec(name="weather", description='say "hi"\n# root ::= x\u2028', parameters={"type": "object"}),)
    constraints = Constraints(max_nodes=7, tools=tools, max_output_tokens=300)
    text = with_contract(compile(constraints))
    assert has_contract(text)
    assert text.partition("\n")[2] == compile(constraints).grammar
    contract = read_contract(text)
    assert (contract.constraints, contract.max_output_tokens, contract.semantic) == (constraints, 300, True)


def test_a_limit_of_the_request_wins_over_the_one_of_the_constraints() -> None:
    text = with_contract(compile(Constraints(max_output_tokens=300)), max_output_tokens=200, semantic=False)
    contract = read_contract(text)
    assert (contract.max_output_tokens, contract.semantic) == (200, False)


def test_equal_contracts_are_equal_texts() -> None:
    assert with_contract(compile(Constraints())) == with_contract(compile(Constraints()))


def test_arguments_keep_the_order_in_which_they_are_generated() -> None:
    names = ["origin", "destination", "day"]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    sent = Constraints(tools=(ToolSpec(name="search_flights", parameters=schema),))
    [tool] = read_contract(with_contract(compile(sent))).constraints.tools or ()
    assert list(tool.parameters["properties"]) == names


def test_other_grammars_are_left_alone() -> None:
    assert not has_contract("# a comment\nroot ::= [a-z]")
    assert not has_contract("root ::= [a-z]")


@pytest.mark.parametrize(
    "comment",
    [
        "# agentic-dsl 1 ",
        "# agentic-dsl 1 {",
        "# agentic-dsl 1 []",
        '# agentic-dsl 1 {"constraints":{}}',
        '# agentic-dsl 1 {"constraints":{},"max_output_tokens":0,"semantic":true}',
        '# agentic-dsl 1 {"constraints":{},"max_output_tokens":true,"semantic":true}',
        '# agentic-dsl 1 {"constraints":{},"max_output_tokens":null,"semantic":1}',
        '# agentic-dsl 1 {"constraints":[],"max_output_tokens":null,"semantic":true}',
        '# agentic-dsl 1 {"constraints":{"colour":"red"},"max_output_tokens":null,"semantic":true}',
        '# agentic-dsl 1 {"constraints":{"max_nodes":0},"max_output_tokens":null,"semantic":true}',
        "# agentic-dsl 1 " + "[" * 100_000,
    ],
)
def test_a_damaged_contract_is_refused_with_a_reason(comment: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        read_contract(comment + "\nroot ::= [a-z]")
    assert not isinstance(caught.value, UnknownVersionError)


def test_another_version_is_told_apart() -> None:
    with pytest.raises(UnknownVersionError, match='"2"'):
        read_contract("# agentic-dsl 2 {}\nroot ::= [a-z]")


def test_a_server_reads_no_more_than_it_is_willing_to() -> None:
    text = with_contract(compile(Constraints(max_nodes=50)))
    with pytest.raises(ConstraintError, match="this server reads 100"):
        read_contract(text, Bounds(characters=100))
    with pytest.raises(ConstraintError, match="this server allows 20"):
        read_contract(text, Bounds(nodes=20))


@given(st.text(max_size=200))
def test_no_text_behind_the_mark_raises_anything_else(text: str) -> None:
    with pytest.raises(ConstraintError):
        read_contract("# agentic-dsl " + text)
