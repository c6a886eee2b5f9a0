"""ADL806: a call of a deprecated library entry."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.signature import Stability


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for _, span, callee in context.callees:
        if callee.entry is not None and callee.entry.stability is Stability.DEPRECATED:
            yield codes.DEPRECATED_CALLEE.at(
                span,
                f'"{callee.path}" version {callee.version} is deprecated',
                help="call what replaces it",
            )


_LIBRARY = contract("(request: string) -> {answer: string}", "/lib/utils/ask", 'version: "1.0"\nstability: {}')
_CALL = subgraph("""
- {id: ask, type: assign, assign: {request: "ok?"}, next: ["/lib/utils/ask", /main/p/done]}
- {id: done, type: end, output_keys: [answer]}
""")

RULE = Rule(
    codes.DEPRECATED_CALLEE,
    Group.CONTRACTS,
    "Deprecated entries go with the next major version; every call of one breaks then.",
    bad=Example(_CALL, library=(_LIBRARY.replace("{}", "deprecated"),)),
    good=Example(_CALL, library=(_LIBRARY.replace("{}", "stable"),)),
    check=_check,
)
