"""Diagnostics as people read them: the finding, the source line, a caret, the remedy."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from agentic_dsl.cli.output import Styled, plural
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.span import Source

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}

_EXCERPT = 100
"""Cells of a source line that are shown; of a longer line the part around the finding."""

_TAB = 4


def show(diagnostics: Iterable[Diagnostic], source: Source) -> Iterator[Styled]:
    """The lines that show findings of one source."""
    for diagnostic in diagnostics:
        yield from _show_one(diagnostic, source)


def _show_one(diagnostic: Diagnostic, source: Source) -> Iterator[Styled]:
    start, end = source.position(diagnostic.span.start), source.position(diagnostic.span.end)
    style = _STYLES[diagnostic.severity]
    yield [
        (f"{printable(source.path or '<text>')}:{start.line}:{start.column}: ", "bold"),
        (f"{diagnostic.severity.value} {diagnostic.code}", style),
        (f" {printable(diagnostic.message)}", ""),
    ]
    line = source.line(start.line)
    margin = " " * len(str(start.line))
    if line.strip():
        width = (end.column - start.column) if end.line == start.line else len(line) - start.column + 1
        before, marked, after = _window(line, start.column - 1, max(width, 1))
        yield [(f"{margin} |", "blue")]
        yield [(f"{start.line} | ", "blue"), (before, ""), (marked, style), (after, "")]
        yield [(f"{margin} | ", "blue"), (" " * cells(before), ""), ("^" * max(cells(marked), 1), style)]
    if diagnostic.help:
        yield [(f"{margin} = ", "blue"), ("help: ", "bold"), (printable(diagnostic.help), "")]
    if diagnostic.standard:
        yield [(f"{margin} = ", "blue"), (f"standard: {diagnostic.standard}", "")]
    yield []


def _window(line: str, start: int, width: int) -> tuple[str, str, str]:
    """What stands before, in and after the finding, printable and at most about `_EXCERPT` cells in all."""
    marked = line[start : start + width]
    before, after = line[:start], line[start + width :]
    if len(marked) > _EXCERPT:
        marked, after = marked[: _EXCERPT - 1] + "…", ""
    room = max(_EXCERPT - len(marked), 0)
    if len(line) > _EXCERPT:
        if len(before) > (left := max(room - len(after), room * 2 // 3)):
            before = "…" + before[len(before) - left :]
        if len(after) > (right := max(room - len(before), 0)):
            after = after[:right] + "…"
    return printable(before), printable(marked), printable(after)


def printable(text: str) -> str:
    """The text with tabs widened and control characters shown as pictures, so that no text steers the terminal."""
    return "".join(_show_character(character) for character in text)


def _show_character(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return " " * _TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # Cc: C1 controls, Cf: marks that reorder or hide text, Cs: surrogates, Zl and Zp: line ends.
    return "�" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character


def cells(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def summary(files: int, diagnostics: Iterable[Diagnostic]) -> str:
    """``3 files: 1 error, 2 warnings``."""
    severities = [d.severity for d in diagnostics]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    return f"{plural(files, 'file')}: {plural(errors, 'error')}, {plural(warnings, 'warning')}"
