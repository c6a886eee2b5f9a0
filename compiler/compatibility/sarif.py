"""``sarif``: a comparison as SARIF 2.1.0, in the frame that lint's log has."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agentic_dsl.compiler.compatibility.change import Comparison
from agentic_dsl.compiler.compatibility.findings import NameOf, file_reports
from agentic_dsl.compiler.compatibility.kinds import ALL_KINDS, UNDECLARED
from agentic_dsl.compiler.lint.finding import FileReport
from agentic_dsl.compiler.lint.formats.sarif import sarif as lint_log
from agentic_dsl.diagnostics import Code, Diagnostic, Severity
from agentic_dsl.span import Source

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

_CODES: tuple[Code, ...] = (*(kind.code for kind in ALL_KINDS), UNDECLARED)


def sarif(comparison: Comparison, name_of: NameOf, *, version: str | None) -> str:
    """One log with one run; only the kinds of change that there are are described in it.

    Args:
        comparison: what to print.
        name_of: the file of a place.
        version: of the toolkit, None where it is not known.
    """
    reports = file_reports(comparison, name_of)
    files = {report.path: FileReport(report.path, report.source, ()) for report in reports}
    numbers = {name: number for number, name in enumerate(files)}  # both versions of a file may have one name
    log = json.loads(lint_log(list(files.values()), version=version))
    [run] = log["runs"]
    used = {finding.diagnostic.code for report in reports for finding in report.findings}
    codes = [code for code in _CODES if code.code in used]
    index = {code.code: number for number, code in enumerate(codes)}
    run["tool"]["driver"]["rules"] = [_rule(code) for code in codes]
    run["results"] = [
        _result(finding.diagnostic, report.source, index[finding.diagnostic.code], location | {"index": number})
        for report in reports
        for number in (numbers[report.path],)
        for location in (run["artifacts"][number]["location"],)
        for finding in report.findings
    ]
    return json.dumps(log, indent=2) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    level = next((kind.level.value for kind in ALL_KINDS if kind.code is code), "verdict")
    return {
        "id": code.code,
        "name": "".join(word.capitalize() for word in code.name.split("-")),
        "shortDescription": {"text": code.summary},
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
        "properties": {"tags": ["compatibility", level]},
    }


def _result(d: Diagnostic, source: Source, rule: int, location: dict[str, Any]) -> dict[str, Any]:
    record = d.record(source)
    region = {
        "startLine": record["line"],
        "startColumn": record["column"],
        "endLine": record["end_line"],
        "endColumn": record["end_column"],
    }
    digest = hashlib.sha256(json.dumps([d.code, d.message]).encode()).hexdigest()
    return {
        "ruleId": d.code,
        "ruleIndex": rule,
        "level": _LEVELS[d.severity],
        "message": {"text": d.message + (f"\nHelp: {d.help}" if d.help else "")},
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": region}}],
        "partialFingerprints": {"change/v1": digest},
    }
