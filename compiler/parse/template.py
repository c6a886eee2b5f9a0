"""Templates (Inja) from text to tree: `parse_template`.

Three steps: `template_pieces` cuts the text, `template_tree` reads each expression and statement by
``template.lark``, and this module nests the statements. What most templates are is read by `template_pattern` instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches

from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.template_forbidden import forbidden_use
from agentic_dsl.compiler.parse.template_pattern import template_by_pattern
from agentic_dsl.compiler.parse.template_pieces import Piece, holds_template, pieces
from agentic_dsl.compiler.parse.template_tree import MAX_DEPTH, Statement, read_expression, read_statement
from agentic_dsl.span import Span
from agentic_dsl.template import Expression, For, If, Literal, Output, Part, Set, Template

_CACHED = 4096
"""Templates remembered; the same strings are parsed again by every check, and by every generation of a document."""

TemplateProblem = Problem
"""Why a template cannot be read, or may not be used (``forbidden``)."""

MAX_LENGTH = 100_000
"""Characters that the constructs of one template may have together; the grammar reads about 100,000 a second."""

_REACHING_OUT = ("include", "extends", "import", "from", "block")
"""Statements of Inja and its relatives that read other files."""

_STATEMENTS = ("if", "else", "elif", "endif", "for", "endfor", "set")
_WORD = re.compile(r"\s*+([A-Za-z_]\w*)")


@dataclass(slots=True)
class _Frame:
    """A statement that is open while its parts are read; the outermost has none."""

    statement: Statement | None
    span: Span
    parts: list[Part] = field(default_factory=list)
    arms: list[tuple[Expression, tuple[Part, ...]]] = field(default_factory=list)
    condition: Expression | None = None
    """Of the arm being read; None inside ``else``."""
    has_else: bool = False

    def next_arm(self, condition: Expression | None) -> None:
        """Closes the arm being read and opens the next."""
        if self.condition is not None:
            self.arms.append((self.condition, tuple(self.parts)))
        self.condition, self.parts = condition, []

    def closed(self, end: int) -> Part:
        """The finished statement."""
        assert self.statement is not None  # the outermost frame is never closed
        span = Span(self.span.start, end)
        if self.statement.word == "for":
            assert self.statement.expression is not None  # a for has an iterable
            return For(self.statement.names, self.statement.expression, tuple(self.parts), span)
        if self.has_else:
            return If(tuple(self.arms), tuple(self.parts), span)
        self.next_arm(None)
        return If(tuple(self.arms), (), span)


def template_by_grammar(text: str) -> Template | Problem:
    """The full reading of a text that holds a template construct."""
    frames = [_Frame(None, Span(0, 0))]
    has_statements = "{%" in text
    length = 0
    for piece in pieces(text):
        if isinstance(piece, Problem):
            return piece
        length += 0 if piece.kind == "text" else piece.end - piece.start
        if length > MAX_LENGTH:
            help = "split the text, or compute parts of it in nodes before"
            return Problem(
                f"a template is longer than {MAX_LENGTH:,} characters", help, Span(piece.start, piece.start + 2)
            )
        problem = _take(text, piece, frames, has_statements)
        if problem is not None:
            return problem
    if len(frames) > 1:
        word = frames[-1].statement.word if frames[-1].statement else ""
        return Problem(f'the "{word}" is never closed', f"close it with {{% end{word} %}}", frames[-1].span)
    template = Template(tuple(frames[0].parts))
    return forbidden_use(text, template) or template


def _take(text: str, piece: Piece, frames: list[_Frame], has_statements: bool) -> Problem | None:
    """Adds one piece to the innermost open statement."""
    parts = frames[-1].parts
    match piece.kind:
        case "text":
            stray = text.find("%}", piece.start, piece.end) if has_statements else -1
            if stray >= 0:
                return Problem('"%}" closes nothing', 'open the statement with "{%"', Span(stray, stray + 2))
            parts.append(Literal(text[piece.start : piece.end], False, piece.span))
        case "comment":
            parts.append(Literal(text[piece.inner_start : piece.inner_end], True, piece.span))
        case "expression":
            expression = read_expression(text, piece.inner_start, piece.inner_end)
            if isinstance(expression, Problem):
                return expression
            parts.append(Output(expression, piece.span))
        case "statement":
            return _take_statement(text, piece, frames)
    return None


def _take_statement(text: str, piece: Piece, frames: list[_Frame]) -> Problem | None:
    unknown = _not_ours(text, piece)
    if unknown is not None:
        return unknown
    statement = read_statement(text, piece.inner_start, piece.inner_end)
    if isinstance(statement, Problem):
        return statement
    frame = frames[-1]
    match statement.word:
        case "set":
            assert statement.expression is not None  # a set has a value
            frame.parts.append(Set(statement.names[0], statement.expression, piece.span))
        case "if" | "for":
            if len(frames) > MAX_DEPTH:
                return Problem(f"statements nest deeper than {MAX_DEPTH} levels", "flatten the template", piece.span)
            frames.append(_Frame(statement, piece.span, condition=statement.expression))
        case "else" | "else if":
            return _take_else(statement, piece, frame)
        case word:
            opener = word.removeprefix("end")
            if frame.statement is None or frame.statement.word != opener:
                return _unexpected_end(word, frame, piece)
            frames.pop()
            frames[-1].parts.append(frame.closed(piece.end))
    return None


def _take_else(statement: Statement, piece: Piece, frame: _Frame) -> Problem | None:
    if frame.statement is None or frame.statement.word != "if":
        return Problem(
            f'"{statement.word}" stands outside of an "if"', "open it with {% if … %}, or remove it", piece.span
        )
    if frame.has_else:
        return Problem(
            f'"{statement.word}" stands after the "else" of its "if"', "put the else last, and only once", piece.span
        )
    frame.next_arm(statement.expression)
    frame.has_else = statement.word == "else"
    return None


def _unexpected_end(word: str, frame: _Frame, piece: Piece) -> Problem:
    if frame.statement is None:
        opener = word.removeprefix("end")
        return Problem(f'"{word}" closes nothing', f"open it with {{% {opener} … %}}, or remove it", piece.span)
    inner = frame.statement.word
    return Problem(
        f'"{word}" stands where the "{inner}" is still open', f"close that with {{% end{inner} %}}", piece.span
    )


def _not_ours(text: str, piece: Piece) -> Problem | None:
    """The problem of a statement that the language lacks or forbids."""
    match = _WORD.match(text, piece.inner_start, piece.inner_end)
    if match is None:
        return Problem(
            "the {% … %} holds no statement",
            f"begin it with {', '.join(_STATEMENTS[:-1])} or {_STATEMENTS[-1]}",
            piece.span,
        )
    word, span = match[1], Span(*match.span(1))
    if word in _REACHING_OUT:
        return Problem(
            f'the template uses "{word}", which reaches outside of the context',
            "write the text into this template",
            piece.span,
            forbidden=True,
        )
    if word in _STATEMENTS:
        return None
    close = {"elseif": ["else if"], "elsif": ["else if"]}.get(word) or get_close_matches(word, _STATEMENTS, 1)
    known = f"write {{% {close[0]} … %}}" if close else f"use one of {', '.join(_STATEMENTS)}"
    return Problem(f"there is no template statement {quoted(word)}", known, span)


# --- the readers ------------------------------------------------------------------------------------------------------


@remembered(_CACHED)
def parse_template(text: str) -> Template | TemplateProblem | None:
    """The tree of a text with templates.

    Args:
        text: the decoded string. Spans in the result are offsets into it.

    Returns:
        None where no template construct begins in the text: it is what it says.
    """
    if not holds_template(text):
        return None
    return template_by_pattern(text) or template_by_grammar(text)


@remembered(_CACHED)
def parse_condition(text: str) -> Template | TemplateProblem:
    """The tree of a ``condition``, where a bare expression means the same as one in ``{{ … }}``.

    Args:
        text: the decoded string. Spans in the result are offsets into it.
    """
    if holds_template(text):
        template = parse_template(text)
        assert template is not None  # a construct begins in it
        return template
    expression = read_expression(text, 0, len(text))
    if isinstance(expression, Problem):
        return expression
    template = Template((Output(expression, Span(0, len(text))),))
    return forbidden_use(text, template) or template
