"""ADL841: a key, token or password in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

_PATTERNS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    ("a private key", ("private key",), re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("an AWS access key", ("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    ),
    ("a GitLab token", ("glpat-",), re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", ("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("an API key", ("sk-",), re.compile(r"\bsk-(?:[A-Za-z]+-)*[A-Za-z0-9_]{20,}")),
    ("a Google API key", ("aiza",), re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    (
        "a JSON web token",
        ("eyj",),
        re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    ),
    (
        "a password in an address",
        ("://",),
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@{}\"'<>$]{1,64}:[^\s/:@{}\"'<>$]{3,64}@"),
    ),
    (
        "a password",
        ("passw", "secret", "api_key", "apikey", "token"),
        re.compile(
            r"(?i)\b(?:password|passwd|secret|api_?key|access_?token|auth_?token)\b[\"']?\s*[:=]\s*[\"']?"
            r"(?=[^\s\"']*\d)(?=[^\s\"']*[a-z])[A-Za-z0-9+/_.!%*-]{12,}={0,2}(?=[\s\"',}\]]|$)"
        ),
    ),
)
"""What it is, what texts with it hold in small letters (most hold nothing of it), and the whole of it."""


def _check(context: LintContext) -> Iterator[Diagnostic]:
    text = context.text
    small = text.lower()
    taken: list[Span] = []
    for what, hints, pattern in _PATTERNS:
        if not any(hint in small for hint in hints):
            continue
        for match in pattern.finditer(text):
            span = Span(*match.span())
            if any(span.start < other.end and other.start < span.end for other in taken):
                continue
            taken.append(span)
            yield codes.SECRET_IN_TEXT.at(
                span,
                f"{what} stands in the text",
                help="revoke it, and hand it to the tool outside of the document",
            )


_GOOD = subgraph(
    """
- id: call
  type: tool_call
  tool: fetch
  arguments: {key_name: "{{ key_name }}"}
  output_keys: [r]
  next: [/main/p/done]
- {id: done, type: end}
""",
    keys='signature: "(key_name: string) -> {r: any}"',
)

RULE = Rule(
    codes.SECRET_IN_TEXT,
    Group.SECURITY,
    "Documents are shared, logged and shown to models; a secret in one is known to all of them and stays in its "
    "history.",
    bad=Example(
        lambda: _GOOD.replace('"{{ key_name }}"', '"{{ key_name }} AKIA' + "IOSFODNN7EXAMPLE" + '"'),
        shown='arguments: {key: "AKIA…"}',
    ),
    good=Example(_GOOD),
    check=_check,
    of_text=True,
)
