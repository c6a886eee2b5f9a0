"""A comparison as findings, so that every format of lint can print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agentic_dsl.compiler.compatibility.change import Change, Comparison, Place, Verdict
from agentic_dsl.compiler.compatibility.kinds import UNDECLARED
from agentic_dsl.compiler.compatibility.levels import Bump
from agentic_dsl.compiler.lint.finding import FileReport, Finding
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.span import Source

NameOf = Callable[[Place], str]
"""What the file of a place is called where the findings are shown."""


def severity_of(change: Change, verdict: Verdict) -> Severity:
    """How bad a change is: what the version says is news, what it does not say is a problem."""
    return Severity.INFO if verdict.covered else change.kind.code.severity


def diagnostic_of(change: Change, verdict: Verdict) -> Diagnostic:
    """A change as a finding."""
    message = f"{change.level.value}: {change.message}"
    severity = severity_of(change, verdict)
    help_ = change.help if severity is not Severity.INFO else None
    return change.kind.code.at(change.place.span, message, help=help_, severity=severity)


def undeclared(verdict: Verdict) -> Diagnostic | None:
    """The finding that a version says too little, None where it says enough."""
    if verdict.covered:
        return None
    if verdict.place.side == "old":
        message = f'"{verdict.name}" went without a deprecated version before'
        return UNDECLARED.at(verdict.place.span, message, help="deprecate it in one release, remove it in the next")
    asked = f"its changes need a {verdict.needed.word} version"
    declared = "its version did not grow" if verdict.declared is Bump.NONE else f"it has a {verdict.declared.word} one"
    message = f'"{verdict.name}": {asked}, but {declared}'
    help_ = None if verdict.next is None else f'state version: "{verdict.next}"'
    return UNDECLARED.at(verdict.place.span, message, help=help_, severity=verdict.changes[0].kind.code.severity)


def located(verdict: Verdict) -> Iterator[tuple[Place, Diagnostic]]:
    """The findings about one entry with their places, the verdict first."""
    if (finding := undeclared(verdict)) is not None:
        yield verdict.place, finding
    for change in verdict.changes:
        yield change.place, diagnostic_of(change, verdict)


def file_reports(comparison: Comparison, name_of: NameOf) -> list[FileReport]:
    """The findings by file, in order of name and place."""
    found: dict[str, list[tuple[Source, Diagnostic]]] = {}
    for verdict in comparison.verdicts:
        for place, diagnostic in located(verdict):
            found.setdefault(name_of(place), []).append((place.document.source, diagnostic))
    return [report for name in sorted(found) for report in _by_source(name, found[name])]


def _by_source(name: str, found: Iterable[tuple[Source, Diagnostic]]) -> Iterator[FileReport]:
    """A report for each text of one name: the old and the new one may be called the same."""
    sources: dict[int, tuple[Source, list[Diagnostic]]] = {}
    for source, diagnostic in found:
        sources.setdefault(id(source), (source, []))[1].append(diagnostic)
    for source, diagnostics in sources.values():
        ordered = sorted(diagnostics, key=lambda d: (d.span.start, d.span.end, d.code, d.message))
        yield FileReport(name, source, tuple(map(Finding, ordered)))
