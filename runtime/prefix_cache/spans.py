"""What the tokens of a prompt are for: spans of one kind each, laid on whole blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agentic_dsl.errors import UsageError
from agentic_dsl.skills.segments import SegmentKind

UNTYPED = SegmentKind.CONTEXT
"""The kind of tokens that no span names."""


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens of a prompt from ``start`` to before ``end`` are one segment.

    Attributes:
        start: offset in tokens.
        end: offset in tokens, above ``start``.
        kind: what they are for.
        name: what people know them by, such as a skill's name.
    """

    start: int
    end: int
    kind: SegmentKind
    name: str = ""

    def means(self, other: Span) -> bool:
        """Whether both are the same kind and name."""
        return self.kind is other.kind and self.name == other.name


def lay_out(spans: Sequence[Span], length: int, block_tokens: int = 1) -> tuple[Span, ...]:
    """Spans that cover the whole blocks of a prompt, in order and without gaps.

    A block that several spans share belongs to the last of them: it is only reused together with its last token.

    Args:
        spans: in any order; they may leave gaps, which become `UNTYPED`.
        length: how many tokens the prompt has.
        block_tokens: the cache's block.

    Raises:
        UsageError: a span is empty, overlaps another or leaves the prompt.
    """
    covered: list[Span] = []
    at = 0
    for span in sorted(spans, key=lambda span: span.start):
        if not at <= span.start < span.end <= length:
            raise UsageError(
                f"the span {span.start}–{span.end} ({span.kind} {span.name}) does not fit a prompt of {length} tokens",
                help="give spans that do not overlap, each within the prompt and with a token or more",
            )
        if at < span.start:
            covered.append(Span(at, span.start, UNTYPED))
        covered.append(span)
        at = span.end
    if at < length:
        covered.append(Span(at, length, UNTYPED))
    laid: list[Span] = []
    for span in covered:
        start, end = (border - border % block_tokens for border in (span.start, span.end))
        if start == end:
            continue
        if laid and laid[-1].means(span):
            laid[-1] = replace(laid[-1], end=end)
        else:
            laid.append(replace(span, start=start, end=end))
    return tuple(laid)


WORTH_A_PASS = 32
"""Segments of fewer tokens are read together with the next one: a pass takes as long for one token as for sixteen."""


def stops(spans: Sequence[Span], length: int) -> Iterator[int]:
    """Where the beginning of a prompt is cut: behind segments, until the question, with something left to read."""
    at = 0
    for span in spans:
        if span.kind is SegmentKind.QUESTION or span.end >= length:
            return
        if span.end - at >= WORTH_A_PASS:
            at = span.end
            yield at
