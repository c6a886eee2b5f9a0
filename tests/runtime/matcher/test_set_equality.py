"""The tracker accepts exactly the documents of a small alphabet that the checker accepts."""

from __future__ import annotations

import itertools

import pytest

from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.runtime.matcher.plan import Plan
from benchmarks.set_equality import ALL, CONFIGURATIONS, PATH, READ_NOW, Alphabet, Configuration, differences

MOST = 4_500
"""With more documents than this a size is sampled; ``python -m benchmarks.set_equality`` judges them all."""

SAMPLES = 80


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_document_is_accepted_exactly_when_it_is_valid(name: str, count: int) -> None:
    number, _, different = differences(name, count, MOST, SAMPLES)
    assert number
    assert different == []


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_configuration_has_valid_documents_and_others(name: str) -> None:
    found = [differences(name, count, 500, SAMPLES) for count in (1, 2, 3)]
    assert sum(valid for _, valid, _ in found) > 3
    assert sum(number - valid for number, valid, _ in found) > 20


_WRITES = ("assign", "    assign:\n      x: 0\n")
_TYPES = [
    types
    for size in (1, 2)
    for types in itertools.combinations(sorted({"start", "end", "fork", "join", "assert", "assign"}), size)
]


@pytest.mark.parametrize("required", [(), ("x",)])
def test_constraints_are_refused_exactly_where_no_document_of_up_to_three_nodes_is_valid(
    required: tuple[str, ...],
) -> None:
    assert set(itertools.chain(*_TYPES)) <= set(GENERATED_TYPES)
    refused = 0
    for types, most, least in itertools.product(_TYPES, (1, 2, 3), (1, 2, 3)):
        if least > most:
            continue
        constraints = Constraints(
            path=PATH,
            allowed_node_types=types,
            max_nodes=most,
            min_nodes=least,
            context=ContextSignature(required_outputs=required),
        )
        bodies = tuple(body for body in (_WRITES, READ_NOW) if body[0] in types)
        alphabet = Alphabet(bodies, ALL & set(types))
        try:
            Plan.of(constraints)
        except ConstraintError:
            refused += 1
            assert not _any_valid(constraints, alphabet, least, most), constraints.canonical_json
        else:
            assert _any_valid(constraints, alphabet, least, most), constraints.canonical_json
    assert refused > 20


def _any_valid(constraints: Constraints, alphabet: Alphabet, least: int, most: int) -> bool:
    from benchmarks.set_equality import is_valid

    for count in range(least, most + 1):
        for parts in itertools.product(*Configuration(constraints, alphabet).choices(count)):
            if is_valid("".join(parts) + "# --- END AgenticDSL ---\n```\n", constraints):
                return True
    return False
