"""``junit``: a test suite a file and a failed test a finding, for servers that show test reports."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from agentic_dsl.compiler.lint.finding import FileReport, Finding
from agentic_dsl.diagnostics import Severity
from agentic_dsl.span import Source


def junit(reports: Sequence[FileReport]) -> str:
    """One XML document; a file without findings is one test that passed. Infos pass too, with their text."""
    suites = "".join(_suite(report) for report in reports)
    tests = sum(max(len(report.findings), 1) for report in reports)
    failures = sum(_fails(finding) for report in reports for finding in report.findings)
    head = f'<testsuites name="agentic-dsl lint" tests="{tests}" failures="{failures}" errors="0">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{suites}</testsuites>\n'


def _suite(report: FileReport) -> str:
    name = _attribute(report.path)
    cases = "".join(_case(finding, report.source, name) for finding in report.findings)
    cases = cases or f'    <testcase name="lint" classname={name}/>\n'
    failures = sum(map(_fails, report.findings))
    tests = max(len(report.findings), 1)
    return f'  <testsuite name={name} tests="{tests}" failures="{failures}" errors="0">\n{cases}  </testsuite>\n'


def _case(finding: Finding, source: Source, name: str) -> str:
    d = finding.diagnostic
    place = source.position(d.span.start)
    text = escape(_clean(f"line {place.line}, column {place.column}: {d.message}" + (f"\n{d.help}" if d.help else "")))
    title = _attribute(f"{d.code} {d.kind.name} line {place.line}")
    if not _fails(finding):
        return f"    <testcase name={title} classname={name}><system-out>{text}</system-out></testcase>\n"
    failure = f'<failure message={_attribute(d.message)} type="{d.severity.value}">{text}</failure>'
    return f"    <testcase name={title} classname={name}>{failure}</testcase>\n"


def _fails(finding: Finding) -> bool:
    return finding.diagnostic.severity is not Severity.INFO


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    """The text without what XML 1.0 cannot hold."""
    return "".join(
        c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "�" for c in text
    )
