"""ADL809: a call of an old major version."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.library import LibraryEntry
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.resolution import TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.paths import Path
from agentic_dsl.signature import Stability


def _check(context: LintContext) -> Iterator[Diagnostic]:
    entries = context.check.entries
    for link in context.check.graph.links:
        reference = link.reference
        if link.target.kind is not TargetKind.CALL or reference.version is None or reference.path is None:
            continue
        newest = _newest(entries.get(reference.path, ()))
        if newest is not None and reference.version.major < newest:
            yield codes.OUTDATED_CALL.at(
                context.check.span_of(link),
                f'"{_shown(reference.path)}" is called in version {reference.version}; version {newest} is stable',
                help=f"read what changed, and call @v{newest}",
            )


def _newest(entries: tuple[LibraryEntry, ...]) -> int | None:
    return max((entry.version.major for entry in entries if entry.stability is Stability.STABLE), default=None)


def _shown(path: Path) -> str:
    return str(path)


_OLD = contract("(request: string) -> {answer: string}", "/lib/utils/ask", 'version: "1.4"')
_NEW = contract("(request: string) -> {answer: string}", "/lib/utils/ask", 'version: "2.0"')
_CALL = """
- {{id: ask, type: assign, assign: {{request: "ok?"}}, next: ["/lib/utils/ask@v{}", /main/p/done]}}
- {{id: done, type: end, output_keys: [answer]}}
"""

RULE = Rule(
    codes.OUTDATED_CALL,
    Group.CONTRACTS,
    "Old major versions stop being mended and then go; a call that names one stays behind silently.",
    bad=Example(subgraph(_CALL.format(1)), library=(_OLD, _NEW)),
    good=Example(subgraph(_CALL.format(2)), library=(_OLD, _NEW)),
    check=_check,
)
