"""ADL843: the network without a list of domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentic_dsl import codes
from agentic_dsl.compiler.checks.permissions import span_of
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for owner, span, held in context.permissions:
        if held.kind == "network" and _is_open(held.options.get("domains")):
            yield codes.UNRESTRICTED_NETWORK.at(
                span_of(held, span),
                f"{owner} may reach every address",
                help='name the domains: {network: outbound, domains: ["…"]}',
            )
    resources = context.document.resources
    for entry in resources.entries if resources is not None else ():
        outbound = entry.options.get("outbound")
        domains = outbound.get("domains") if isinstance(outbound, Mapping) else None
        if entry.type == "network" and _is_open(domains):
            yield codes.UNRESTRICTED_NETWORK.at(
                entry.span,
                "the application may reach every address",
                help='name the domains: outbound: {domains: ["…"]}',
            )


def _is_open(domains: Any) -> bool:
    return not isinstance(domains, list | tuple) or not domains or any(domain in ("*", "*.*") for domain in domains)


_NODES = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.UNRESTRICTED_NETWORK,
    Group.SECURITY,
    "A prompt that goes wrong can send anything anywhere; a list of domains is the cheapest fence there is.",
    bad=Example(subgraph(_NODES, keys="permissions: [network]")),
    good=Example(subgraph(_NODES, keys='permissions: [{network: outbound, domains: ["api.example.org"]}]')),
    check=_check,
)
