"""The BEGIN and END markers of a body: optional, and no comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

_MARKER = re.compile(r"[ \t]*#[ \t-]*(?P<word>BEGIN|END)[ \t]+AgenticDSL\b[ \t-]*(?=[\r\n]|\Z)")
_WORD = "AgenticDSL"
_LINE_END = re.compile(r"[\r\n]")


def is_marker(comment: str) -> bool:
    """Whether a comment (without ``#``) is a marker, wherever it stands."""
    return _MARKER.fullmatch(f"#{comment}") is not None


def without_markers(body: str, shift: int, diagnostics: list[Diagnostic], *, closed: bool) -> Span:
    """Where the YAML between the markers stands in a body; the whole body where there are none.

    Args:
        body: the lines between the fences.
        shift: offset of the body in the document.
        diagnostics: gets what is wrong with the markers.
        closed: whether the fence is closed; an unclosed block has lost its end, so that is not said twice.
    """
    found = list(_markers(body))
    begins = [match for match in found if match["word"] == "BEGIN"]
    ends = [match for match in found if match["word"] == "END"]
    begin = begins[0] if begins and not body[: begins[0].start()].strip() else None
    end = ends[-1] if ends and not body[ends[-1].end() :].strip() else None
    for match in found:
        if match is not begin and match is not end:
            place = "the first" if match["word"] == "BEGIN" else "the last"
            message = f"this {match['word']} marker stands in the middle of the block"
            help = f"remove it, or make it {place} line between the fences"
            diagnostics.append(codes.BAD_MARKER.at(_span(match, shift), message, help=help))
    if begin and not end and closed:
        _lonely(begin, "END", shift, diagnostics)
    if end and not begin:
        _lonely(end, "BEGIN", shift, diagnostics)
    return Span(begin.end() if begin else 0, end.start() if end else len(body))


def _markers(body: str) -> Iterator[re.Match[str]]:
    """The markers, found by their one word: bodies are long and markers few."""
    at = body.find(_WORD)
    while at >= 0:
        start = max(body.rfind("\n", 0, at), body.rfind("\r", 0, at)) + 1
        if (match := _MARKER.match(body, start)) is not None:
            yield match
        line_end = _LINE_END.search(body, at)
        at = body.find(_WORD, line_end.end()) if line_end else -1


def _lonely(match: re.Match[str], partner: str, shift: int, diagnostics: list[Diagnostic]) -> None:
    place = "last" if partner == "END" else "first"
    message = f"the {match['word']} marker has no {partner} marker"
    help = f'write "# --- {partner} AgenticDSL ---" as the {place} line between the fences'
    diagnostics.append(codes.BAD_MARKER.at(_span(match, shift), message, help=help))


def _span(match: re.Match[str], shift: int) -> Span:
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    return Span(start, match.end()).shift(shift)
