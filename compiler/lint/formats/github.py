"""``github``: workflow commands, which GitHub shows beside the changed lines."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_dsl.compiler.lint.finding import FileReport
from agentic_dsl.compiler.lint.formats.report_paths import report_path
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
            where = f"file={_property(report_path(report.path))},line={record['line']},col={record['column']}{end}"
            text = d.message + (f"\nhelp: {d.help}" if d.help else "")
            title = _property(f"{d.code} {d.kind.name}")
            lines.append(f"::{_LEVELS[d.severity]} title={title},{where}::{_data(text)}\n")
    return "".join(lines)


_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def _data(text: str) -> str:
    """The text as a command takes it; other control characters would steer whoever reads the log in a terminal."""
    return "".join(_ESCAPES.get(c, c if c.isprintable() else " ") for c in text)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
