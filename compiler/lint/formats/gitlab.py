"""``gitlab``: a report of code quality, which GitLab shows in merge requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from agentic_dsl.compiler.lint.finding import FileReport
from agentic_dsl.compiler.lint.formats.report_paths import report_path
from agentic_dsl.diagnostics import Severity

_LEVELS = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def gitlab(reports: Sequence[FileReport]) -> str:
    """A JSON array with one issue a finding; the fingerprint of one stays when lines move."""
    issues = []
    seen: dict[str, int] = {}
    for report in reports:
        path = report_path(report.path)
        for finding in report.findings:
            d = finding.diagnostic
            marked = report.source.text[d.span.start : d.span.end][:200]
            what = json.dumps([path, d.code, d.message, marked])
            seen[what] = seen.get(what, 0) + 1
            record = d.record(report.source)
            issues.append(
                {
                    "description": d.message,
                    "check_name": d.code,
                    "fingerprint": hashlib.sha256(f"{what}{seen[what]}".encode()).hexdigest(),
                    "severity": _LEVELS[d.severity],
                    "location": {"path": path, "lines": {"begin": record["line"], "end": record["end_line"]}},
                }
            )
    return json.dumps(issues, indent=2) + "\n"
