"""``json`` and ``markdown``: a comparison as data, and as a table for comments on pull requests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agentic_dsl.compiler.compatibility.change import Change, Comparison, Verdict
from agentic_dsl.compiler.compatibility.findings import NameOf, severity_of
from agentic_dsl.compiler.compatibility.levels import Level
from agentic_dsl.diagnostics import Severity
from agentic_dsl.paths import Version


def json_record(comparison: Comparison, name_of: NameOf) -> dict[str, Any]:
    """Everything as JSON data; lines and columns are 1-based code points, ends are exclusive."""
    counts = Counter(change.level for change in comparison.changes)
    return {
        "needed": comparison.needed.word,
        "ok": comparison.covered,
        "entries": [_entry(verdict, name_of) for verdict in comparison.verdicts],
        "summary": {"entries": len(comparison.verdicts), **{level.value: counts[level] for level in Level}},
    }


def _entry(verdict: Verdict, name_of: NameOf) -> dict[str, Any]:
    return {
        "path": verdict.name,
        "old_version": _text(verdict.old),
        "new_version": _text(verdict.new),
        "needed": verdict.needed.word,
        "declared": verdict.declared.word,
        "ok": verdict.covered,
        "next_version": None if verdict.covered else _text(verdict.next),
        "changes": [_change(change, verdict, name_of) for change in verdict.changes],
    }


def _change(change: Change, verdict: Verdict, name_of: NameOf) -> dict[str, Any]:
    diagnostic = change.kind.code.at(
        change.place.span, change.message, help=change.help, severity=severity_of(change, verdict)
    )
    where = {"side": change.place.side, "file": name_of(change.place)}
    level = {"level": change.level.value, "rule": change.kind.code.name}
    return {**level, **where, **diagnostic.record(change.place.document.source)}


def _text(version: Version | None) -> str | None:
    return None if version is None else str(version)


def markdown(comparison: Comparison, name_of: NameOf) -> str:
    """One table, a row a change; what no version declares is in bold."""
    if not comparison.verdicts:
        return "Nothing changed for callers.\n"
    lines = ["| entry | version | change | place |", "|---|---|---|---|"]
    for verdict in comparison.verdicts:
        for number, change in enumerate(verdict.changes):
            head = (_code(verdict.name), _versions(verdict)) if number == 0 else ("", "")
            is_news = severity_of(change, verdict) is Severity.INFO
            level = change.level.value if is_news else f"**{change.level.value}**"
            line = change.place.document.source.position(change.place.span.start).line
            place = _code(f"{name_of(change.place)}:{line}")
            lines.append(f"| {head[0]} | {head[1]} | {level}: {_cell(change.message)} | {place} |")
    short = [verdict for verdict in comparison.verdicts if not verdict.covered]
    lines += ["", _conclusion(len(short), comparison.needed.word)]
    return "\n".join(lines) + "\n"


def _versions(verdict: Verdict) -> str:
    old, new = _text(verdict.old) or "–", _text(verdict.new) or "–"
    said = old if old == new else f"{old} → {new}"
    return said if verdict.covered else f"{said}, needs **{verdict.needed.word}**"


def _conclusion(short: int, needed: str) -> str:
    if not short:
        return "All versions say what changed."
    entries = "1 version does" if short == 1 else f"{short:,} versions do"
    return f"{entries} not say what changed. Released as one, this is a {needed} version."


_MARKS = str.maketrans({c: f"\\{c}" for c in "\\|`*_[]<>"} | {"\n": " ", "\r": " "})


def _cell(text: str) -> str:
    """A text that neither ends its cell nor is taken for Markdown."""
    return "".join(c if c.isprintable() else " " for c in text.translate(_MARKS))


def _code(text: str) -> str:
    """A text as code; only what would end the code or the cell is changed."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return f"`{shown.replace('`', chr(39)).replace('|', chr(92) + '|')}`"
