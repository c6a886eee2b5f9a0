"""Shapes of rule that keep masks cheap, and the text of one whole grammar.

An engine that builds one automaton per rule judges most tokens ahead of time, unless a loop over characters holds a
reference or a nested choice: then a token in the middle of a text costs milliseconds instead of microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion

from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Literal, Ref, Repeat, Seq
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.pipeline import Dialect, compile
from agentic_dsl.constraints import Constraints
from tests.compiler.grammar.requests import REQUESTS


def loops(expr: Expr) -> Iterator[Expr]:
    """The items of all loops without a limit."""
    match expr:
        case Seq(items) | Alt(items):
            for item in items:
                yield from loops(item)
        case Repeat(item, _, most):
            if most is None:
                yield item
            yield from loops(item)
        case Literal() | CharClass() | Ref():
            return


def is_flat(expr: Expr) -> bool:
    """Whether an expression is a choice between sequences of characters, literals and loops of single characters."""
    options = expr.options if isinstance(expr, Alt) else (expr,)
    return all(_is_plain(item) for way in options for item in (way.items if isinstance(way, Seq) else (way,)))


def _is_plain(expr: Expr) -> bool:
    return isinstance(expr, Literal | CharClass) or (isinstance(expr, Repeat) and isinstance(expr.item, CharClass))


@pytest.mark.parametrize("name", REQUESTS)
def test_loops_run_over_characters_or_whole_lines(name: str) -> None:
    for rule, expr in lower(REQUESTS[name]).rules:
        for item in loops(expr):
            assert is_flat(item) or isinstance(item, Ref), f"a loop of {rule} is neither flat nor of lines"


@pytest.mark.parametrize("dialect", ["xgrammar", "gbnf"])
def test_a_small_grammar_is_this_text(dialect: Dialect, snapshot: SnapshotAssertion) -> None:
    constraints = Constraints(allowed_node_types=("assert", "end"), max_nodes=2, permissions=("network", "file: read"))
    assert compile(constraints, dialect=dialect).grammar == snapshot


def test_the_report_of_a_small_request_is_this(snapshot: SnapshotAssertion) -> None:
    report = compile(REQUESTS["tools and libraries"]).report
    assert [f"{entry.constraint} · {entry.level.value} · {entry.detail}" for entry in report] == snapshot
