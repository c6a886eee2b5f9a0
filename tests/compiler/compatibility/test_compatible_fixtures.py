"""Every document that the tests know, broken ones included, can be compared with every other one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from agentic_dsl.compiler.compatibility.compare import compare
from agentic_dsl.compiler.compatibility.findings import file_reports
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.sources import document_of

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
NAMES = sorted(path for folder in ("documents", "canonical") for path in (FIXTURES / folder).glob("*.md"))


def test_any_two_documents_can_be_compared_and_shown() -> None:
    libraries = [Library.of([document_of(path.read_bytes(), path.name)]) for path in NAMES]
    assert len(libraries) > 20
    for (one, old), (other, new) in product(enumerate(libraries), repeat=2):
        comparison = compare(old, new)
        reports = file_reports(comparison, lambda place: place.document.source.path or "")
        shown = [finding for report in reports for finding in report.findings]
        undeclared = sum(not verdict.covered for verdict in comparison.verdicts)
        assert len(shown) == len(comparison.changes) + undeclared
        if one == other:
            assert shown == []
