"""ADL846: a resource that is reached without encryption."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Resource
from agentic_dsl.span import Span

_PLAIN = re.compile(r"(?i)http://(?!localhost\b|127\.|\[::1\])")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for place in context.places:
        if isinstance(place.node, Resource) and _PLAIN.match(place.node.uri):
            yield codes.PLAIN_HTTP.at(
                place.node.at("uri"),
                f'the resource "{place.node.id}" is reached without encryption',
                help="write https://",
            )


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    at = context.text.lower().find("http://", finding.span.start, finding.span.end)
    if at < 0:
        return None
    return Fix("write https://", (Edit(Span(at, at + len("http")), "https"),), safe=False)


_GOOD = subgraph("""
- {id: prices, type: resource, resource_type: api_endpoint, uri: "https://api.example.org/prices"}
- {id: done, type: end}
""")

RULE = Rule(
    codes.PLAIN_HTTP,
    Group.SECURITY,
    "Whoever sits between reads the data and can change the answers, and through them what the agent does.",
    bad=Example(_GOOD.replace("https:", "http:")),
    good=Example(_GOOD),
    check=_check,
    mend=_mend,
)
