"""What the report claims is what happens: for every entry a document that breaks it, refused by whom it names."""

from __future__ import annotations

from functools import lru_cache

import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar.held_rules import HELD
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import DIALECTS, CompiledSpec, Dialect, Level, compile, without_overlay
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.reparse import reparse
from agentic_dsl.runtime.tokenizer import load_tokenizer
from tests.compiler.grammar.acceptors import accepts, automaton
from tests.compiler.grammar.gbnf_reader import read_gbnf
from tests.compiler.grammar.requests import REQUESTS
from tests.compiler.grammar.rule_breakers import BREAKERS, GOOD, Breaker

pytestmark = pytest.mark.masks


@lru_cache(maxsize=1)
def llguidance_compiler() -> LlguidanceCompiler:
    pytest.importorskip("llguidance")
    return LlguidanceCompiler(load_tokenizer("bytes"))


def admits(spec: CompiledSpec, text: str) -> bool:
    """Whether the grammar accepts a text, by a reader of its dialect."""
    match spec.dialect:
        case "xgrammar":
            return accepts(spec.grammar, text)
        case "gbnf":
            return automaton(read_gbnf(spec.grammar)).accepts(text)
        case "llguidance" | "llguidance-parametric":
            matcher = llguidance_compiler().matcher(spec.grammar)
            end = load_tokenizer("bytes").eos_token_ids[0]
            return all(map(matcher.accept, text.encode())) and matcher.accept(end)


def tracked(constraints: Constraints, text: str) -> bool:
    tracker = SemanticTracker(constraints)
    return tracker.accept(text.encode()) and tracker.is_complete


def found(constraints: Constraints, text: str) -> set[str]:
    document = parse(text)
    return {finding.code for finding in (*document.diagnostics, *check(document, constraints=constraints))}


def name_of(breaker: Breaker) -> str:
    return f"{breaker.entry}, {breaker.code.name if breaker.code else 'narrower'}, {breaker.counted}"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("breaker", BREAKERS, ids=name_of)
def test_who_refuses_a_document_is_who_the_report_names(breaker: Breaker, dialect: Dialect) -> None:
    constraints = breaker.constraints
    try:
        spec = compile(constraints, dialect=dialect, count_in_grammar=breaker.counted)
    except ConstraintError:
        assert dialect == "llguidance-parametric"  # it refuses what it cannot hold
        return
    if breaker.code is None:
        assert not found(constraints, breaker.bad)
    else:
        assert breaker.code.code in found(constraints, breaker.bad)
        assert breaker.code.code not in found(constraints, breaker.good)
    level = level_of(spec, breaker.entry)
    if level is None:
        assert breaker.entry == "allowed_node_types.left_out"  # of parametric grammars only
        assert dialect != "llguidance-parametric"
        return
    assert tracked(constraints, breaker.good)
    never = dialect == "llguidance-parametric" and "join" in breaker.good  # the type is left out
    assert admits(spec, breaker.good) is not never
    assert admits(spec, breaker.bad) is (level is not Level.GRAMMAR)
    if DIALECTS[dialect].matched:
        assert tracked(constraints, breaker.bad) is (level is Level.CHECKED)
    else:
        assert level is not Level.OVERLAY


def level_of(spec: CompiledSpec, name: str) -> Level | None:
    levels = {entry.level for entry in spec.report if entry.constraint == name}
    assert len(levels) <= 1
    return levels.pop() if levels else None


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_entry_of_a_report_has_a_document_that_breaks_it(name: str, dialect: Dialect) -> None:
    known = {breaker.entry for breaker in BREAKERS} | {"max_output_tokens"}
    try:
        report = compile(REQUESTS[name], dialect=dialect).report
    except ConstraintError:
        assert dialect == "llguidance-parametric"
        return
    named = {entry.constraint for entry in report}
    tools = {entry for entry in named - known if entry.startswith("tools.")}  # named after the tools of the request
    assert named - known == tools
    assert tools <= {"tools.get_weather.days"}


POINTS = {
    1: {"language.ids", "max_subgraphs.paths"},
    2: {"language.references", "targets", "libraries"},
    3: {"language.acyclic"},
    4: {"language.reachable", "language.paths", "language.start", "language.branches", "language.lists"},
    5: {"language.joins"},
    6: {"max_nodes", "max_subgraph_depth", "language.generation"},
    7: {"path", "allowed_node_types", "tools", "permissions", "language.permissions"},
    8: {"language.templates", "context", "libraries.inputs", "tools.returns", "language.keys", "language.words"},
    9: {"signature.outputs", "context.required_outputs"},
    10: {"language.merges"},
}
"""Point of ``language.md`` §5 → the entries that say what holds it."""


def test_every_point_of_validity_is_in_the_report_and_is_broken_by_a_document() -> None:
    broken = {breaker.entry for breaker in BREAKERS}
    assert all(entries <= broken for entries in POINTS.values())
    for rule in HELD:
        assert not rule.point or f"language.{rule.name}" in POINTS[rule.point] | {"language.order"}


def test_a_budget_is_kept_by_the_matcher_and_found_out_by_the_check() -> None:
    tokenizer = load_tokenizer("bytes")
    tokens = [*GOOD.encode(), tokenizer.eos_token_ids[0]]
    constraints = Constraints(max_output_tokens=len(tokens) - 1)
    spec = compile(constraints)
    assert level_of(spec, "max_output_tokens") is Level.OVERLAY
    matcher = SemanticMatcher(spec, tokenizer)
    assert not all(map(matcher.accept, tokens))
    # Near its budget the matcher refuses what only a cleverer completion than its own could finish.
    assert all(map(SemanticMatcher(spec, tokenizer, max_output_tokens=len(tokens) + 100).accept, tokens))
    assert admits(spec, GOOD)
    assert not any(finding.is_error for finding in reparse(GOOD, constraints).diagnostics)
    cut = reparse(GOOD[: len(tokens) - 20], constraints, complete=False)
    assert any(finding.is_error for finding in cut.diagnostics)
    report = {entry.constraint: entry for entry in without_overlay(spec.report)}
    assert report["max_output_tokens"].level is Level.CHECKED
    assert "cut" in report["max_output_tokens"].detail


@pytest.mark.parametrize("name", REQUESTS)
def test_without_our_matcher_its_entries_are_checked_and_nothing_else_changes(name: str) -> None:
    report = compile(REQUESTS[name]).report
    bare = without_overlay(report)
    assert without_overlay(bare) == bare
    for before, after in zip(report, bare, strict=True):
        assert before.constraint == after.constraint
        assert after.level is (Level.CHECKED if before.level is Level.OVERLAY else before.level)
        assert before == after or before.level is Level.OVERLAY
    assert bare == compile(REQUESTS[name], dialect="llguidance").report
