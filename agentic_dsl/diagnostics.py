"""Findings about a document: values, never exceptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from agentic_dsl.span import Source, Span


MAX_TEXT = 1_000
"""Characters of a message or help beyond which its middle is left out."""


class Severity(Enum):
    """How bad a finding is. Only an error makes a document invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding, a row of the table in `agentic_dsl.codes`.

    Attributes:
        code: the stable identifier that people search for and suppress.
        name: the same in words, kebab-case.
        severity: the severity unless a mode says otherwise.
        summary: one sentence for the reference page.
        standard: the language's own error name (``language.md`` §7), where one applies.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    standard: str | None = None

    def at(self, span: Span, message: str, *, help: str | None = None, severity: Severity | None = None) -> Diagnostic:
        """A finding of this kind at ``span``; the middle of very long texts is left out."""
        return Diagnostic(self, span, _readable(message), help and _readable(help), severity or self.severity)


def _readable(text: str) -> str:
    """A text that people can read: a name of a document may be megabytes long, and a list of names too."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[: MAX_TEXT // 2]} … {text[-MAX_TEXT // 4 :]}"


class DiagnosticRecord(TypedDict):
    """A finding as ``--format json`` prints it; lines and columns 1-based code points, end exclusive."""

    code: str
    severity: str
    message: str
    help: str | None
    standard: str | None
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding at one place.

    Attributes:
        kind: which row of the code table this is.
        span: where, in the source of the document that was parsed or checked.
        message: one sentence that names the offender.
        help: one imperative sentence, or None where nothing but the obvious can be said.
        severity: as the mode in force has it.
    """

    kind: Code
    span: Span
    message: str
    help: str | None = None
    severity: Severity = field(default=Severity.ERROR)

    @property
    def code(self) -> str:
        """The stable identifier, such as ``ADL203``."""
        return self.kind.code

    @property
    def standard(self) -> str | None:
        """The language's own error name, or None."""
        return self.kind.standard

    @property
    def is_error(self) -> bool:
        """Whether the document is invalid because of this."""
        return self.severity is Severity.ERROR

    def record(self, source: Source) -> DiagnosticRecord:
        """The finding with lines and columns, ready for JSON."""
        start, end = source.position(self.span.start), source.position(self.span.end)
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "help": self.help,
            "standard": self.standard,
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
        }


def in_order(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings by place, then code; the same finding twice is one."""
    seen = dict.fromkeys(diagnostics)
    return tuple(sorted(seen, key=lambda d: (d.span.start, d.span.end, d.code, d.message)))
