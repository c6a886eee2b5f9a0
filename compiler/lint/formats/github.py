"""``github``: workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_dsl.compiler.lint.finding import FileReport
from agentic_dsl.diagnostics import Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github(reports: Sequence[FileReport]) -> str:
    """One workflow command a finding."""
    lines = []
    for report in reports:
        for finding in report.findings:
            d = finding.diagnostic
            record = d.record(report.source)
            end = f",endLine={record['end_line']}" + (
                f",endColumn={record['end_column']}" if record["end_line"] == record["line"] else ""
            )
            where = f"file={_property(report.path)},line={record['line']},col={record['column']}{end}"
            text = d.message + (f"\nhelp: {d.help}" if d.help else "")
            title = _property(f"{d.code} {d.kind.name}")
            lines.append(f"::{_LEVELS[d.severity]} title={title},{where}::{_data(text)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
