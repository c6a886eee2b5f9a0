"""From what was found to what is shown: selectors and comments leave findings out; unused comments are findings."""

from __future__ import annotations

from bisect import bisect_right

from agentic_dsl import codes
from agentic_dsl.compiler.lint.finding import Finding, Linted
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.compiler.lint.suppressions import Suppression
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

_EVERYTHING = Selection()


def judged(linted: Linted, selection: Selection = _EVERYTHING) -> tuple[Finding, ...]:
    """The findings of a document that are shown, in order of place.

    A comment is unused when no finding that is asked for is left out by it. One that names a code that is not asked for
    is let alone: whoever runs with other selectors may need it.
    """
    text, wanted = linted.source.text, selection.wanted(linted.source.path or "")
    found = [finding for finding in linted.findings if finding.diagnostic.code in wanted]
    suppressions = linted.suppressions.found
    if not suppressions:
        return tuple(found)
    coverage = _Coverage(suppressions)
    shown = [finding for finding in found if not coverage.hides(finding.diagnostic)]
    if codes.UNUSED_SUPPRESSION.code in wanted:
        asked = {code[:length] for code in wanted for length in range(len(code) + 1)}
        unused = [s for s in suppressions if s.prefix in asked and _key(s) not in coverage.used]
        shown += [Finding(_finding(s, text), _fix(s, text)) for s in unused]
    return tuple(sorted(shown, key=lambda f: _place(f.diagnostic)))


_Key = tuple[str, Span]
"""What suppressions of one effect share: the prefix and the text that they cover."""


def _key(suppression: Suppression) -> _Key:
    return suppression.prefix, suppression.covers


class _Coverage:
    """Finds what leaves a finding out, however many comments there are.

    Attributes:
        used: what has left some finding out.
    """

    def __init__(self, suppressions: tuple[Suppression, ...]) -> None:
        spans: dict[str, set[Span]] = {}
        for suppression in suppressions:
            spans.setdefault(suppression.prefix, set()).add(suppression.covers)
        # Blocks are disjoint, and the whole file, which begins before them, is looked at by itself.
        self._spans = {prefix: sorted(covered, key=lambda s: (s.start, -s.end)) for prefix, covered in spans.items()}
        self._starts = {prefix: [span.start for span in covered] for prefix, covered in self._spans.items()}
        self.used: set[_Key] = set()

    def hides(self, finding: Diagnostic) -> bool:
        """Whether a finding is left out; all that leave it out are used then."""
        at = finding.span.start
        hidden = False
        for length in range(1, len(finding.code) + 1):
            prefix = finding.code[:length]
            if (spans := self._spans.get(prefix)) is None:
                continue
            before = bisect_right(self._starts[prefix], at)
            for span in {*spans[:2], *spans[max(before - 1, 0) : before]}:
                if span.start <= at <= span.end:
                    self.used.add((prefix, span))
                    hidden = True
        return hidden


def _finding(suppression: Suppression, text: str) -> Diagnostic:
    word = text[suppression.word.start : suppression.word.end]
    return codes.UNUSED_SUPPRESSION.at(suppression.word, f'there is no finding "{word}" to leave out', help="drop it")


def _fix(suppression: Suppression, text: str) -> Fix:
    """Removes the word, or the comment if it is the only one, with its line if nothing else stands there."""
    if not suppression.alone:
        start = suppression.word.start
        while text[start - 1] in " \t,":
            start -= 1
        return Fix("drop the code from the comment", (Edit(Span(start, suppression.word.end), ""),))
    start, end = suppression.comment.start, suppression.comment.end
    line = text.rfind("\n", 0, start) + 1
    newline = text.find("\n", end)
    stop = len(text) if newline < 0 else newline + 1
    if not text[line:start].strip() and not text[end:stop].strip():
        start, end = line, stop
    return Fix("drop the comment", (Edit(Span(start, end), ""),))


def _place(finding: Diagnostic) -> tuple[int, int, str, str]:
    return finding.span.start, finding.span.end, finding.code, finding.message
