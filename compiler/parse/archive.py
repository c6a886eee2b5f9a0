"""``on_success: archive_to("/lib/…")``, by ``path.lark``."""

from __future__ import annotations

from lark import Token
from lark.exceptions import UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import built
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.reference import BUILD, reference_form, reference_problem
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.string_literal import unescaped
from agentic_dsl.compiler.parse.template import parse_template
from agentic_dsl.paths import ReferenceKind
from agentic_dsl.span import Span

_HELP = 'write it as archive_to("/lib/solved/x@v1")'


@remembered(1024)
def parse_archive(text: str) -> str | Problem:
    """The path in ``archive_to("<path>")``: a path, with a version under ``/lib``, or a template of one.

    Args:
        text: the decoded string; spans are offsets into it.
    """
    try:
        literal: Token = built("path", text, BUILD, start="archive")
    except UnexpectedInput:
        return Problem(f'{quoted(text)} is not of the form archive_to("<path>")', _HELP, Span(0, len(text)))
    inside = (literal.start_pos or 0) + 1
    path = unescaped(literal)
    return _path_problem(path, inside, inside + len(literal) - 2) or path


def _path_problem(path: str, start: int, end: int) -> Problem | None:
    form = reference_form(path)
    match form.kind:
        case ReferenceKind.PATH if not form.query:
            return None
        case ReferenceKind.TEMPLATE:
            template = parse_template(path)
            if not isinstance(template, Problem):
                return None
            return Problem(template.message, template.help, template.span.shift(start), template.forbidden)
        case ReferenceKind.INVALID:
            wrong = reference_problem(path)
            return Problem(wrong.message, wrong.help, wrong.span.shift(start))
        case _:
            return Problem(f"{quoted(path)} is no path to archive to", _HELP, Span(start, end))
