"""Which contracts a server is warmed up with."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_dsl.compiler.library import Library
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError, UsageError
from agentic_dsl.runtime.service.warm_up import plan_warm_ups

LIBRARY = Library.load([Path(__file__).resolve().parents[3] / "examples" / "library"])
ESTIMATE, CURRENCY = "/lib/travel/estimate", "/lib/travel/currency"


def test_without_anything_named_there_is_nothing_to_warm_up() -> None:
    assert plan_warm_ups() == ()


def test_a_library_path_stands_for_its_calls_and_for_writing_it() -> None:
    calls, writes, everything = plan_warm_ups([ESTIMATE], library=LIBRARY)
    assert calls.label == f"calls {ESTIMATE}"
    assert [spec.path for spec in calls.spec.constraints.libraries] == [ESTIMATE]
    assert ESTIMATE in calls.spec.grammar
    assert CURRENCY not in calls.spec.grammar
    assert writes.label == f"writes {ESTIMATE}"
    assert writes.spec.constraints.path == ESTIMATE
    assert writes.spec.constraints.signature == calls.spec.constraints.libraries[0].signature
    assert everything.spec.constraints == Constraints(libraries=LIBRARY.specs())


def test_several_library_paths_are_called_by_one_contract_and_equal_contracts_are_one() -> None:
    items = plan_warm_ups([ESTIMATE, CURRENCY, ESTIMATE], library=LIBRARY)
    labels = [item.label for item in items]
    assert labels[0] == f"calls {ESTIMATE}, {CURRENCY}"
    assert labels[1:3] == [f"writes {ESTIMATE}", f"writes {CURRENCY}"]
    assert len({item.spec.constraints.digest for item in items}) == len(items)


def test_a_generation_path_stands_for_what_generate_would_send() -> None:
    writes, everything = plan_warm_ups(["/dynamic/trip"], library=LIBRARY)
    assert writes.spec.constraints == Constraints(path="/dynamic/trip", libraries=LIBRARY.specs())
    assert everything.label == "calls the whole library"
    (alone,) = plan_warm_ups(["/dynamic/trip"])
    assert alone.spec.constraints == Constraints(path="/dynamic/trip")


def test_the_constraints_of_documents_are_taken_as_they_are() -> None:
    wanted = Constraints(max_nodes=3, tools=())
    (item,) = plan_warm_ups(specs=[("plan.md", wanted)])
    assert (item.label, item.spec.constraints) == ("plan.md", wanted)


@pytest.mark.parametrize(
    ("path", "message", "help"),
    [
        ("/lib/travel/estimat", 'no entry "/lib/travel/estimat"', ESTIMATE),
        ("lib/travel/estimate", "is no path", "such as"),
        ("/lib//x", "is no path", "such as"),
        ("", "is no path", "such as"),
        ("/main/x", "cannot be warmed up", "/dynamic/"),
        ("/dynamic", "cannot be warmed up", "/dynamic/"),
    ],
)
def test_a_path_that_cannot_be_warmed_up_is_refused(path: str, message: str, help: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        plan_warm_ups([path], library=LIBRARY)
    assert help in str(caught.value.help)


def test_a_library_path_without_a_library_names_the_option() -> None:
    with pytest.raises(UsageError, match="without a library") as caught:
        plan_warm_ups([ESTIMATE])
    assert "--lib" in str(caught.value.help)


def test_constraints_that_nothing_satisfies_are_refused_with_their_name() -> None:
    impossible = Constraints(
        allowed_node_types=("start",),
        max_nodes=1,
        min_nodes=1,
        context={"available_vars": {}, "required_outputs": ("x",)},
    )  # type: ignore[arg-type]
    with pytest.raises(ConstraintError, match=r"goal\.md cannot be warmed up"):
        plan_warm_ups(specs=[("goal.md", impossible)])
