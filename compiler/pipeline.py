"""`compile`: constraints → grammar text in a dialect, with the report of what enforces each constraint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from agentic_dsl.compiler.dialects import DIALECTS, Dialect
from agentic_dsl.compiler.grammar.emit_gbnf import MAX_REPETITIONS, emit_gbnf
from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.enforcement import Level, ReportEntry, without_overlay
from agentic_dsl.compiler.grammar.lower import lower_request
from agentic_dsl.compiler.grammar.parametric import emit_parametric
from agentic_dsl.compiler.grammar.report import build_report
from agentic_dsl.compiler.grammar.request import Request, read_request
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError

__all__ = ["DIALECTS", "CompiledSpec", "Dialect", "Level", "ReportEntry", "compile", "without_overlay"]


@dataclass(frozen=True, slots=True)
class CompiledSpec:
    """The grammar of one contract, in one dialect.

    Attributes:
        constraints: the contract.
        dialect: the dialect of `grammar`.
        grammar: the text, the same for equal constraints.
        report: what enforces each constraint. ``overlay`` means our matcher: for an engine that takes the grammar
            alone, see `without_overlay`.
    """

    constraints: Constraints
    dialect: Dialect
    grammar: str
    report: tuple[ReportEntry, ...]


def compile(constraints: Constraints, *, dialect: Dialect = "xgrammar", count_in_grammar: bool = True) -> CompiledSpec:
    """Compiles constraints to grammar text.

    Args:
        constraints: the contract of one generation.
        dialect: ``xgrammar`` (EBNF, also for vLLM and SGLang), ``gbnf`` (llama.cpp), ``llguidance`` (Lark), or
            ``llguidance-parametric``, which admits valid graphs only and is refused for what it cannot hold.
        count_in_grammar: whether the grammar counts nodes. Without the count it is the same for all counts, smaller
            and faster to load; the matcher or the check counts then. A grammar with parameters always counts.

    Raises:
        ConstraintError: the constraints cannot be compiled, no answer satisfies them, or there is no such dialect.
    """
    if dialect not in DIALECTS:
        raise ConstraintError(f'there is no dialect "{dialect}"', help=f"name one of: {', '.join(DIALECTS)}")
    request = read_request(constraints)
    matched = DIALECTS[dialect].matched
    if dialect == "llguidance-parametric":
        found = emit_parametric(constraints)
        report = build_report(request, counted=True, matched=matched, parametric=True, types=found.types)
        return CompiledSpec(constraints, dialect, found.text, report)
    # llama.cpp unrolls a count and refuses large ones.
    counted = count_in_grammar and (dialect != "gbnf" or constraints.max_nodes <= MAX_REPETITIONS)
    text = _emit(request, dialect, counted=counted)
    return CompiledSpec(constraints, dialect, text, build_report(request, counted=counted, matched=matched))


def _emit(request: Request, dialect: Dialect, *, counted: bool) -> str:
    """The text in a dialect whose grammars are those of `lower_request`."""
    grammar = lower_request(request, count_in_grammar=counted)
    match dialect:
        case "xgrammar":
            return emit_xgrammar(grammar)
        case "gbnf":
            return emit_gbnf(grammar)
        case "llguidance":
            return emit_llguidance(grammar)
        case "llguidance-parametric":
            raise AssertionError("a grammar with parameters is emitted from the constraints")
        case _:
            assert_never(dialect)
