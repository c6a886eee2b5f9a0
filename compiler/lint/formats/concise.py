"""``concise``: one line a finding, for people with many and for editors that read them."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_dsl.compiler.lint.finding import FileReport


def concise(reports: Sequence[FileReport]) -> str:
    """``path:line:column: CODE message``, with a star where lint can mend it."""
    lines = []
    for report in reports:
        for finding in report.findings:
            place = report.source.position(finding.diagnostic.span.start)
            star = " [*]" if finding.fix is not None else ""
            message = one_line(finding.diagnostic.message)
            lines.append(
                f"{one_line(report.path)}:{place.line}:{place.column}: {finding.diagnostic.code}{star} {message}\n"
            )
    return "".join(lines)


def one_line(text: str) -> str:
    """A text without line ends and other characters that would steer a terminal or break a line."""
    return "".join(c if c.isprintable() else " " for c in text)
