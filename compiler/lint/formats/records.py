"""``json``: one object, as `validate` prints it, each finding with its rule and its fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agentic_dsl.compiler.lint.finding import FileReport, Finding
from agentic_dsl.diagnostics import Severity
from agentic_dsl.span import Source


def json_record(reports: Sequence[FileReport]) -> dict[str, Any]:
    """Everything as JSON data."""
    return {
        "files": [
            {
                "path": report.path,
                "ok": not any(f.diagnostic.is_error for f in report.findings),
                "diagnostics": [finding_record(finding, report.source) for finding in report.findings],
            }
            for report in reports
        ],
        "summary": {
            "files": len(reports),
            "errors": count(reports, Severity.ERROR),
            "warnings": count(reports, Severity.WARNING),
        },
    }


def finding_record(finding: Finding, source: Source) -> dict[str, Any]:
    """One finding: the record of its diagnostic, the name of its rule, and its fix."""
    fix = finding.fix
    return {
        **finding.diagnostic.record(source),
        "rule": finding.diagnostic.kind.name,
        "fix": None
        if fix is None
        else {
            "message": fix.message,
            "safe": fix.safe,
            "edits": [
                {
                    "line": source.position(edit.span.start).line,
                    "column": source.position(edit.span.start).column,
                    "end_line": source.position(edit.span.end).line,
                    "end_column": source.position(edit.span.end).column,
                    "text": edit.text,
                }
                for edit in fix.edits
            ],
        },
    }


def count(reports: Iterable[FileReport], severity: Severity) -> int:
    """How many findings are as severe."""
    return sum(finding.diagnostic.severity is severity for report in reports for finding in report.findings)
