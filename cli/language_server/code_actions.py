"""Code actions: the fixes of findings, one by one and all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsprotocol import types

from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.diagnostics import diagnostic
from agentic_dsl.cli.language_server.formatting import edits
from agentic_dsl.compiler.lint.finding import Finding
from agentic_dsl.compiler.lint.fix import Fix
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.span import Span

FIX_ALL = "source.fixAll.agenticDsl"
"""The kind of the action that applies every safe fix; ``source.fixAll`` asks for it too."""

KINDS = (types.CodeActionKind.QuickFix, FIX_ALL)


def code_actions(
    analysis: Analysis, uri: str, findings: Sequence[Finding], at: Span, only: Sequence[str] | None
) -> list[types.CodeAction]:
    """The actions for a part of a document; the one that mends everything comes without its edit.

    Args:
        analysis: the document.
        uri: its address.
        findings: that are shown of it.
        at: the part.
        only: kinds that are asked for, None for all; a kind stands for those below it.
    """
    actions: list[types.CodeAction] = []
    if _asks(only, types.CodeActionKind.QuickFix.value):
        actions += _quick_fixes(analysis, uri, findings, at)
    if _asks(only, FIX_ALL) and any(f.fix is not None and f.fix.safe for f in findings):
        actions.append(
            types.CodeAction(
                title="Mend everything that can be mended without a change of meaning", kind=FIX_ALL, data={"uri": uri}
            )
        )
    return actions


def fix_all(analysis: Analysis, uri: str, selection: Selection) -> types.WorkspaceEdit:
    """Every safe fix, again and again until none is left, as ``lint --fix`` does.

    Args:
        analysis: the document.
        uri: its address.
        selection: the rules whose findings are mended.
    """
    project = Project({analysis.name: analysis.text.encode("utf-8", "surrogatepass")}, mode=analysis.mode)
    project.library = analysis.library
    fixed, count = project.fix(analysis.name, selection, unsafe=False)
    return types.WorkspaceEdit(changes={uri: edits(analysis, fixed.source.text) if count else []})


def _asks(only: Sequence[str] | None, kind: str) -> bool:
    return only is None or any(kind == asked or kind.startswith(f"{asked}.") for asked in only)


def _quick_fixes(analysis: Analysis, uri: str, findings: Sequence[Finding], at: Span) -> Iterator[types.CodeAction]:
    for finding in findings:
        span, fix = finding.diagnostic.span, finding.fix
        if fix is None or span.start > at.end or span.end < at.start:
            continue
        note = "" if fix.safe else " (look at the result: the meaning may change)"
        yield types.CodeAction(
            title=f"{finding.diagnostic.code}: {fix.message}{note}",
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[diagnostic(analysis, finding.diagnostic)],
            is_preferred=fix.safe,
            edit=types.WorkspaceEdit(changes={uri: _edits(analysis, fix)}),
        )


def _edits(analysis: Analysis, fix: Fix) -> list[types.TextEdit]:
    return [types.TextEdit(analysis.positions.range(edit.span), edit.text) for edit in fix.edits]
