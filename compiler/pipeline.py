"""`compile`: constraints → grammar text in a dialect, with the report of what enforces each constraint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from agentic_dsl.compiler.grammar.emit_gbnf import MAX_REPETITIONS, emit_gbnf
from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.ir import Grammar
from agentic_dsl.compiler.grammar.lower import lower_request
from agentic_dsl.compiler.grammar.report import Level, ReportEntry, build_report
from agentic_dsl.compiler.grammar.request import read_request
from agentic_dsl.constraints import Constraints

__all__ = ["CompiledSpec", "Dialect", "Level", "ReportEntry", "compile"]

Dialect = Literal["xgrammar", "gbnf", "llguidance"]
"""What a grammar is written for."""


@dataclass(frozen=True, slots=True)
class CompiledSpec:
    """The grammar of one contract, in one dialect.

    Attributes:
        constraints: the contract.
        dialect: the dialect of `grammar`.
        grammar: the text, the same for equal constraints.
        report: what enforces each constraint.
    """

    constraints: Constraints
    dialect: Dialect
    grammar: str
    report: tuple[ReportEntry, ...]


def compile(constraints: Constraints, *, dialect: Dialect = "xgrammar", count_in_grammar: bool = True) -> CompiledSpec:
    """Compiles constraints to grammar text.

    Args:
        constraints: the contract of one generation.
        dialect: ``xgrammar`` (EBNF, also for vLLM and SGLang), ``gbnf`` (llama.cpp) or ``llguidance`` (Lark).
        count_in_grammar: whether the grammar counts nodes. Without the count it is the same for all counts, smaller
            and faster to load; the check counts then.

    Raises:
        ConstraintError: the constraints cannot be compiled, or no answer satisfies them.
    """
    request = read_request(constraints)
    # llama.cpp unrolls a count and refuses large ones.
    counted = count_in_grammar and (dialect != "gbnf" or constraints.max_nodes <= MAX_REPETITIONS)
    grammar = lower_request(request, count_in_grammar=counted)
    return CompiledSpec(constraints, dialect, _emit(grammar, dialect), build_report(request, counted=counted))


def _emit(grammar: Grammar, dialect: Dialect) -> str:
    match dialect:
        case "xgrammar":
            return emit_xgrammar(grammar)
        case "gbnf":
            return emit_gbnf(grammar)
        case "llguidance":
            return emit_llguidance(grammar)
        case _:
            assert_never(dialect)
