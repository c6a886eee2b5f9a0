"""ADL913: an end that the reference executor does not know."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.paths import GENERATED_END, SYSTEM_TARGETS, Hardness


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for link in context.check.graph.links:
        text = link.reference.text
        if link.target.kind is TargetKind.SYSTEM and not text.startswith("/__system__/"):
            soft = SYSTEM_TARGETS.get(text) is Hardness.SOFT
            yield codes.UNREGISTERED_END.at(
                context.check.span_of(link),
                f'the reference executor does not register "{text}"',
                help=f"write {GENERATED_END}" if soft else "go to a node of the type end",
            )


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    written = context.text[finding.span.start : finding.span.end]
    if written.strip("\"'") != "/end_soft":
        return None
    return Fix(f"write {GENERATED_END}", (Edit(finding.span, f'"{GENERATED_END}"'),))


_GOOD = subgraph('- {id: work, type: assign, assign: {y: 1}, next: ["/__system__/end_soft"]}')

RULE = Rule(
    codes.UNREGISTERED_END,
    Group.EXECUTOR,
    "The reference executor registers the targets under /__system__/ only and stops at the others with a node that "
    "is not found.",
    bad=Example(_GOOD.replace("/__system__/end_soft", "/end_soft")),
    good=Example(_GOOD),
    check=_check,
    mend=_mend,
)
