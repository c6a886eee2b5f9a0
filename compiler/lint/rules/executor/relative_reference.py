"""ADL914: a reference that the reference executor does not resolve."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.paths import ReferenceKind


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for link in context.check.graph.links:
        relative = link.reference.kind in (ReferenceKind.ID, ReferenceKind.SELF)
        if relative and link.target.kind is TargetKind.NODE:
            yield codes.RELATIVE_REFERENCE.at(
                context.check.span_of(link),
                f'"{link.reference.text}" is not a full path',
                help=f"write {_full(context, link.target.node)}",
            )


def _full(context: LintContext, number: int) -> str:
    return context.places[number].path


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    path = (finding.help or "").removeprefix("write ")
    written = context.text[finding.span.start : finding.span.end].strip("\"'")
    if not path.startswith("/") or written != finding.message.split('"')[1]:
        return None  # written as {path: …}, or otherwise not as the reference alone
    return Fix("write the full path", (Edit(finding.span, f'"{path}"'),))


_GOOD = subgraph("""
- {id: work, type: assign, assign: {y: 1}, next: ["/main/p/done"]}
- {id: done, type: end}
""")

RULE = Rule(
    codes.RELATIVE_REFERENCE,
    Group.EXECUTOR,
    "The reference executor looks references up as they stand, among full paths, and finds nothing. `fmt` writes full "
    "paths too.",
    bad=Example(_GOOD.replace('["/main/p/done"]', "[done]")),
    good=Example(_GOOD),
    check=_check,
    mend=_mend,
)
