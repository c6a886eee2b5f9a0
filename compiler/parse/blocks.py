"""Step 1.1: a text is cut into prose and raw blocks, by ``document.lark``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lark import Token, Tree

from agentic_dsl import codes
from agentic_dsl.compiler.parse.lark_parser import lark_parser
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

YAML_INFOS = frozenset({"", "yaml", "yml", "agentic"})
"""The words after a fence that say its body is a block's; compared without case."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A heading and its fence; nothing in it is read yet.

    Attributes:
        heading: the heading's line, without its line end.
        path: what stands between the quotes of the heading, None where it has none.
        path_span: where that is; the heading where there is no path.
        note: the heading's text after the path.
        body: the lines between the fences; spans are offsets into the whole text.
        span: heading to closing fence, its line end not included.
        closed: whether the fence is closed.
    """

    heading: Span
    path: str | None
    path_span: Span
    note: str
    body: Span
    span: Span
    closed: bool


@dataclass(frozen=True, slots=True)
class Structure:
    """A whole text, cut up.

    Attributes:
        blocks: in source order; what stands between them is prose.
        diagnostics: about headings and fences.
    """

    blocks: tuple[RawBlock, ...]
    diagnostics: tuple[Diagnostic, ...]

    def prose(self, text: str, index: int) -> str:
        """The prose before block ``index`` (``len(blocks)``: after the last), without blank lines around it."""
        start = self.blocks[index - 1].span.end if index else int(text.startswith("\ufeff"))
        end = self.blocks[index].span.start if index < len(self.blocks) else len(text)
        return _without_blank_lines(text[start:end])


_QUOTED_PATH = re.compile(r"(?P<quote>[`'])(?P<path>[ \t]*/[^`'\r\n]*)[`']")
_QUOTED = re.compile(r"`(?P<path>[^`\r\n]*)`")
_OPENING = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\r\n]*?)[ \t]*(?:\r\n?|\n|\Z)")
_HEADING = re.compile(r"[^\r\n]*")
_OUR_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t][^\r\n]*AgenticDSL", re.MULTILINE)
_LEADING_BLANK = re.compile(r"(?:[ \t]*+(?:\r\n?|\n))*+")


def read_structure(text: str) -> Structure:
    """Cuts a text into blocks.

    Total: every text has a structure. A text without any block is all prose.
    """
    blocks: list[RawBlock] = []
    diagnostics: list[Diagnostic] = []
    for section in lark_parser("document").parse(text).children:
        assert isinstance(section, Tree)  # `start` has no token of its own
        tokens = [token for token in section.children if isinstance(token, Token)]
        match [token.type for token in tokens]:
            case ["HEADING", "FENCE"]:
                blocks.append(_raw_block(tokens[0], tokens[1], diagnostics))
            case ["HEADING"]:
                diagnostics.append(_lonely_heading(tokens[0]))
            case ["PROSE_FENCE"]:
                _check_prose_fence(tokens[0], diagnostics)
            case _:
                pass  # prose
    return Structure(tuple(blocks), tuple(diagnostics))


def _raw_block(heading: Token, fence: Token, diagnostics: list[Diagnostic]) -> RawBlock:
    start = _offset(heading)
    line = _heading_line(heading)
    span = Span(start, start + len(line))
    quoted = _QUOTED_PATH.search(line) or _QUOTED.search(line)
    path_span = Span(*quoted.span("path")).shift(start) if quoted else span
    at = _offset(fence)
    opening = _OPENING.match(fence)
    assert opening is not None  # the grammar's FENCE begins with the same pattern
    closing = _closing_line(fence, opening)
    end = at + (len(fence) if closing is None else _end_of_text(fence))
    block = RawBlock(
        heading=span,
        path=quoted["path"].strip() if quoted else None,
        path_span=path_span,
        note=line[quoted.end() :].strip() if quoted else "",
        body=Span(at + opening.end(), at + (len(fence) if closing is None else closing)),
        span=Span(start, end),
        closed=closing is not None,
    )
    _check_fence(block, opening, at, diagnostics)
    return block


def _check_fence(block: RawBlock, opening: re.Match[str], at: int, diagnostics: list[Diagnostic]) -> None:
    info = opening["info"].split(maxsplit=1)
    language = info[0].strip("{}.") if info else ""
    if language.lower() not in YAML_INFOS:
        span = Span(*opening.span("info")).shift(at)
        diagnostics.append(
            codes.WRONG_FENCE.at(
                span, f'the fence of a block is marked "{language}", but its body is YAML', help='write "```yaml"'
            )
        )
    if block.path is None:
        diagnostics.append(
            codes.HEADING_WITHOUT_PATH.at(
                block.heading,
                "the heading of a block names no path",
                help="write the path in backticks: ### AgenticDSL `/main/plan`",
            )
        )
    if not block.closed:
        diagnostics.append(
            codes.UNTERMINATED_BLOCK.at(
                Span(*opening.span("fence")).shift(at),
                "the fence that opens here is never closed",
                help=f"put a line with {opening['fence']} after the block",
            )
        )


def _lonely_heading(heading: Token) -> Diagnostic:
    start = _offset(heading)
    return codes.HEADING_WITHOUT_BLOCK.at(
        Span(start, start + len(_heading_line(heading))),
        "no fenced block follows this AgenticDSL heading",
        help="put the block's YAML between ```yaml and ``` directly under the heading",
    )


def _check_prose_fence(fence: Token, diagnostics: list[Diagnostic]) -> None:
    """An unclosed fence in the prose is only worth a word where it swallows blocks."""
    opening = _OPENING.match(fence.lstrip("\ufeff"))
    if opening is None or _closing_line(fence, opening) is not None or not _OUR_HEADING.search(fence):
        return
    at = _offset(fence)
    diagnostics.append(
        codes.UNTERMINATED_BLOCK.at(
            Span(*opening.span("fence")).shift(at),
            "this fence in the prose is never closed, so the blocks after it are not read",
            help=f"put a line with {opening['fence']} where the example ends",
        )
    )


def _closing_line(fence: str, opening: re.Match[str]) -> int | None:
    """Where the line of the closing fence begins, None where there is none."""
    end = _end_of_text(fence)
    start = max(fence.rfind("\n", 0, end), fence.rfind("\r", 0, end)) + 1
    line = fence[start:end].rstrip(" \t")
    last = line.lstrip(" ")
    marks = opening["fence"]
    is_marks = len(last) >= len(marks) and not last.strip(marks[0])
    # Indented as in `document.lark`: what has a tab or more blanks before it belongs to the block.
    is_closing = start >= opening.end() and is_marks and len(line) - len(last) <= 3
    return start if is_closing else None


def _end_of_text(fence: str) -> int:
    """Where a fence ends, its last line end not included."""
    return len(fence) - (2 if fence.endswith("\r\n") else 1 if fence.endswith(("\n", "\r")) else 0)


def _heading_line(heading: str) -> str:
    line = _HEADING.match(heading.lstrip("\ufeff"))
    return line[0] if line else ""


def _offset(token: Token) -> int:
    """Where a token begins; a byte order mark before it is no part of it."""
    return (token.start_pos or 0) + token.startswith("\ufeff")


def _without_blank_lines(text: str) -> str:
    leading = _LEADING_BLANK.match(text)
    return text[leading.end() if leading else 0 :].rstrip(" \t\r\n")
