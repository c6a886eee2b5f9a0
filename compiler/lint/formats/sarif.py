"""``sarif``: SARIF 2.1.0 (OASIS), which code scanning services and editors read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from agentic_dsl.compiler.lint.finding import FileReport, Finding
from agentic_dsl.compiler.lint.formats.report_paths import report_uri
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES
from agentic_dsl.diagnostics import Severity
from agentic_dsl.span import Source, Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(reports: Sequence[FileReport], *, version: str | None) -> str:
    """One log with one run; only the rules that found something are described in it.

    Args:
        reports: the files.
        version: of the toolkit, None where it is not known.
    """
    used = {finding.diagnostic.code for report in reports for finding in report.findings}
    rules = [rule.code for rule in RULES if rule.code in used]
    index = {code: number for number, code in enumerate(rules)}
    driver = {
        "name": "agentic-dsl",
        **({"semanticVersion": version} if version else {}),
        "rules": [_rule(code) for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": report_uri(report.path)}} for report in reports],
        "results": [
            _result(finding, report, number, index[finding.diagnostic.code])
            for number, report in enumerate(reports)
            for finding in report.findings
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    rule = BY_CODE[code]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.kind.summary},
        "fullDescription": {"text": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.group.value]},
    }


def _result(finding: Finding, report: FileReport, number: int, rule: int) -> dict[str, Any]:
    d = finding.diagnostic
    location = {"uri": report_uri(report.path), "index": number}
    marked = report.source.text[d.span.start : d.span.end][:200]
    digest = hashlib.sha256(json.dumps([d.code, d.message, marked]).encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": rule,
        "level": _LEVELS[d.severity],
        "message": {"text": d.message + (f"\nHelp: {d.help}" if d.help else "")},
        "locations": [{"physicalLocation": {"artifactLocation": location, "region": _region(d.span, report.source)}}],
        "partialFingerprints": {"finding/v1": digest},
    }
    if finding.fix is not None:
        replacements = [
            {"deletedRegion": _region(edit.span, report.source), "insertedContent": {"text": edit.text}}
            for edit in finding.fix.edits
        ]
        change = {"artifactLocation": location, "replacements": replacements}
        result["fixes"] = [{"description": {"text": finding.fix.message}, "artifactChanges": [change]}]
    return result


def _region(span: Span, source: Source) -> dict[str, int]:
    start, end = source.position(span.start), source.position(span.end)
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}
