"""ADL807: a stable library that stands on an experimental one."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import contract, library
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.signature import Stability


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place, span, callee in context.callees:
        caller = place.subgraph
        if not caller.path.is_library or caller.stability is not Stability.STABLE or callee.entry is None:
            continue
        if callee.entry.stability is Stability.EXPERIMENTAL:
            yield codes.UNSTABLE_CALLEE.at(
                span,
                f'"{caller.path}" is stable and calls "{callee.path}", which is experimental',
                help="call a stable entry, or mark the caller as experimental",
            )


_NODES = """
- {id: ask, type: assign, assign: {request: "{{ q }}"}, next: ["/lib/utils/ask", /lib/utils/p/done]}
- {id: done, type: end}
"""
_LIBRARY = contract(
    "(request: string) -> {answer: string}", "/lib/utils/ask", 'version: "1.0"\nstability: experimental'
)
_SIGNATURE = "(q: string) -> {answer: string}"

RULE = Rule(
    codes.UNSTABLE_CALLEE,
    Group.CONTRACTS,
    "A promise of stability holds only as far as everything below keeps it; an experimental entry may change any day.",
    bad=Example(library(_NODES, _SIGNATURE, keys="stability: stable"), library=(_LIBRARY,)),
    good=Example(library(_NODES, _SIGNATURE, keys="stability: experimental"), library=(_LIBRARY,)),
    check=_check,
)
