"""`lint_document`: every finding of every rule about one document, those of `validate` included."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.ast import Document
from agentic_dsl.compiler.check import check_context, is_too_large
from agentic_dsl.compiler.checks.context import CheckContext, CheckMode
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.finding import Finding, Linted
from agentic_dsl.compiler.lint.fix import Fix
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES
from agentic_dsl.compiler.lint.suppressions import find_suppressions
from agentic_dsl.compiler.parse.collector import collector_paused
from agentic_dsl.constraints import Constraints
from agentic_dsl.diagnostics import Diagnostic, in_order


def lint_document(
    document: Document,
    *,
    library: Library | None = None,
    constraints: Constraints | None = None,
    mode: CheckMode = "strict",
    disabled_namespaces: frozenset[str] = frozenset(),
) -> Linted:
    """Every finding about a document, in order of place.

    Args:
        document: what `parse` gave.
        library: the entries that may be called; the document may be one of its own.
        constraints: what a generated document was asked to be.
        mode: as for `check`.
        disabled_namespaces: as for `check`.
    """
    check = CheckContext(document, library, constraints, mode, disabled_namespaces)
    context = LintContext(check)
    with collector_paused(len(document.source.text)):
        found = [*check_context(check), *linted(context, is_too_large(check))]
        suppressions = find_suppressions(document)
        found += suppressions.broken
        findings = tuple(Finding(d, _mend(context, d)) for d in in_order(found))
    return Linted(document.source, findings, suppressions, document)


def linted(context: LintContext, too_large: bool) -> Iterator[Diagnostic]:
    """What the rules of lint alone find; of a document that could not be read completely, its text alone is judged."""
    partial = too_large or context.document.has_errors
    for rule in RULES:
        if rule.check is not None and (rule.of_text or not partial):
            yield from rule.check(context)


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    rule = BY_CODE.get(finding.code)
    return rule.mend(context, finding) if rule is not None and rule.mend is not None else None
