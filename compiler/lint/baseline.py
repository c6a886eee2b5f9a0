"""Baselines: findings that a project has accepted for now, so that only new ones are shown.

A finding is recognised by its file, its code, its message and the text that it underlines, not by its line: it stays
accepted when lines move. Of several that look the same as many are accepted as there were.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agentic_dsl.compiler.lint.finding import FileReport, Finding
from agentic_dsl.errors import UsageError
from agentic_dsl.span import Source

FORMAT = 1
"""Raised when baselines look different."""

_LENGTH = 16
"""Hexadecimal digits that tell the findings of one file apart."""

Baseline = Mapping[str, Mapping[str, int]]
"""File → how many findings of each fingerprint are accepted."""


def fingerprint(finding: Finding, source: Source) -> str:
    """What a finding is recognised by within its file."""
    d = finding.diagnostic
    marked = source.text[d.span.start : d.span.end]
    return f"{d.code}:{hashlib.sha256(json.dumps([d.message, marked]).encode()).hexdigest()[:_LENGTH]}"


def write_baseline(reports: Iterable[FileReport]) -> str:
    """A baseline that accepts all of these findings, as text for a file."""
    files = {
        _name(report.path): dict(sorted(Counter(fingerprint(f, report.source) for f in report.findings).items()))
        for report in reports
        if report.findings
    }
    return json.dumps({"version": FORMAT, "files": dict(sorted(files.items()))}, indent=2) + "\n"


def read_baseline(record: Any, name: str) -> Baseline:
    """The baseline in JSON data.

    Raises:
        UsageError: it is none.
    """
    files = record.get("files") if isinstance(record, dict) and record.get("version") == FORMAT else None
    if not isinstance(files, dict) or not all(_is_counts(counts) for counts in files.values()):
        raise UsageError(f"{name} is no baseline of lint", help="write it anew with --update-baseline")
    return files


def without_accepted(reports: Iterable[FileReport], baseline: Baseline) -> list[FileReport]:
    """The reports without the findings that a baseline accepts."""
    left: list[FileReport] = []
    for report in reports:
        accepted = Counter(baseline.get(_name(report.path), {}))
        new = []
        for finding in report.findings:
            key = fingerprint(finding, report.source)
            if accepted[key] > 0:
                accepted[key] -= 1
            else:
                new.append(finding)
        left.append(replace(report, findings=tuple(new)))
    return left


def _name(path: str) -> str:
    """The same name for a file however it was named."""
    return path.replace("\\", "/").removeprefix("./")


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(count, int) for count in value.values())
