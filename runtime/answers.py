"""`Generation`: what came of one task, from an engine's answer that is not believed before it is checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentic_dsl.compiler.pipeline import CompiledSpec, ReportEntry, without_overlay
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.engines.base import EngineResult, Stats
from agentic_dsl.runtime.reparse import Kind, kind_of, reparse

if TYPE_CHECKING:
    from agentic_dsl.ast import Document, Subgraph
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What came of one task.

    Attributes:
        text: the answer, as the engine gave it.
        subgraph: the answer's block; after an answer that was cut, as much as can be read. None where there is none,
            as in plain text (see `kind`).
        diagnostics: what is wrong with the answer, in order; spans point into ``document.source``.
        report: how each constraint was enforced.
        token_ids: the tokens of the answer, its end token included.
        prompt_token_ids: the prompt as the model read it.
        stats: what it cost.
        cached: whether the answer came from the subgraph cache, so that no model ran.
        skills: the names of the skills that the model was given, in no particular order.
        document: the answer, parsed; None where there is no answer.
        error: why there is no answer. Only in batches: a single generation raises it.
    """

    text: str
    subgraph: Subgraph | None
    diagnostics: tuple[Diagnostic, ...]
    report: tuple[ReportEntry, ...]
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    stats: Stats = field(default_factory=Stats)
    cached: bool = False
    skills: tuple[str, ...] = ()
    document: Document | None = None
    error: AgenticDSLError | None = None

    @property
    def valid(self) -> bool:
        """Whether the answer keeps the contract: a subgraph that keeps the language's rules and the constraints.

        Complete plain text keeps it too, exactly where ``allow_free_text`` is set: then ask `kind`.
        """
        return (
            self.error is None
            and (self.subgraph is not None or self.kind == "text")
            and not any(finding.is_error for finding in self.diagnostics)
        )

    @property
    def kind(self) -> Kind:
        """``text`` where the answer is plain text and ``allow_free_text`` is set, else ``subgraph``."""
        return kind_of(self.document)

    @classmethod
    def failed(cls, error: AgenticDSLError) -> Generation:
        """The outcome of a task that no engine was asked."""
        return cls(text="", subgraph=None, diagnostics=(), report=(), error=error)

    @classmethod
    def of(cls, spec: CompiledSpec, result: EngineResult, library: Library | None = None) -> Generation:
        """The outcome of an engine's answer: parsed, and checked against the constraints."""
        report = spec.report if result.overlay else without_overlay(spec.report)
        known = cls(
            text=result.text,
            subgraph=None,
            diagnostics=(),
            report=report,
            token_ids=result.token_ids,
            prompt_token_ids=result.prompt_token_ids,
            stats=result.stats,
            error=result.error,
        )
        if result.error is not None:
            return known
        answer = reparse(result.text, spec.constraints, library=library, complete=result.finish == "stop")
        return replace(known, subgraph=answer.subgraph, diagnostics=answer.diagnostics, document=answer.document)
