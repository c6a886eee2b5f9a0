"""Findings as editors show them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

from lsprotocol import types

from agentic_dsl import codes
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.compiler.lint.finding import Finding
from agentic_dsl.compiler.lint.registry import BY_CODE
from agentic_dsl.diagnostics import Diagnostic, Severity

SOURCE = "agentic-dsl"

MAX_FINDINGS = 1_000
"""Findings of one document that are shown; editors are slow with more."""

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


def is_ours(analysis: Analysis) -> bool:
    """Whether a text means to be a document of ours: it has blocks, or a heading that begins one."""
    document = analysis.document
    return bool(document.blocks) or any(d.kind is not codes.NO_BLOCK for d in document.diagnostics)


def diagnostics(analysis: Analysis, findings: Iterable[Finding]) -> list[types.Diagnostic]:
    """Findings of a document, in order of place."""
    return [diagnostic(analysis, finding.diagnostic) for finding in list(findings)[:MAX_FINDINGS]]


def diagnostic(analysis: Analysis, found: Diagnostic) -> types.Diagnostic:
    """One finding; what to do stands below the message."""
    page = rule_page(found.code)
    return types.Diagnostic(
        range=analysis.positions.range(found.span),
        message=f"{found.message}\nhelp: {found.help}" if found.help else found.message,
        severity=_SEVERITIES[found.severity],
        code=found.code,
        code_description=types.CodeDescription(page) if page else None,
        source=SOURCE,
        tags=_tags(found),
        data={"rule": found.kind.name, "standard": found.standard},
    )


def _tags(found: Diagnostic) -> list[types.DiagnosticTag] | None:
    """What editors draw in a way of their own, by the words of the rule's name: faded, or struck through."""
    words = found.kind.name.split("-")
    if "unused" in words:
        return [types.DiagnosticTag.Unnecessary]
    return [types.DiagnosticTag.Deprecated] if "deprecated" in words else None


@cache
def rule_page(code: str) -> str | None:
    """The address of a rule's documentation, None where the project does not say where its documentation is."""
    rule, base = BY_CODE.get(code), _documentation()
    if rule is None or base is None:
        return None
    return f"{base}/rules/{rule.group.value}.md#{code.lower()}-{rule.name}"


def _documentation() -> str | None:
    """The project's documentation folder on the web, from the metadata of the package."""
    try:
        urls = metadata(SOURCE).get_all("Project-URL") or []
    except PackageNotFoundError:  # an in-tree run without an install
        return None
    found = (url.partition(",") for url in urls)
    return next((address.strip().rstrip("/") for name, _, address in found if name.strip() == "Documentation"), None)
