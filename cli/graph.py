"""``agentic-dsl graph``: subgraphs as drawings in the terminal."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from agentic_dsl.cli.inputs import read_document
from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import FINDINGS, is_terminal, takes_unicode
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

_LEAST_WIDTH, _USUAL_WIDTH = 40, 80


def graph(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Document, or - for stdin.")],
    path: Annotated[
        str | None, typer.Option("--path", metavar="P", help="Draw only the subgraph at this path.")
    ] = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw subgraphs in the terminal.

    Exit code 0: drawn. 1: the document has errors, and what could be read is drawn. 2: nothing to draw.
    """
    from agentic_dsl.cli.drawing.draw import draw

    output = output_of(Settings.load(), format, quiet)
    document = read_document(file)
    chosen = [subgraph for subgraph in document.subgraphs if path is None or str(subgraph.path) == path]
    if not chosen:
        there = ", ".join(str(subgraph.path) for subgraph in document.subgraphs)
        what = f"{file} has no subgraph" + (f" {path}" if path else "")
        raise UsageError(what, help=f"name one of: {there}" if there else "name a document with a subgraph")
    unicode = not ascii and takes_unicode(sys.stdout)
    drawings = [(str(subgraph.path), draw(subgraph, width=_width(), unicode=unicode)) for subgraph in chosen]
    if output.json:
        output.record({"path": file, "subgraphs": [{"path": at, "drawing": rows} for at, rows in drawings]})
    for at, rows in drawings if not output.json else ():
        output.lines([[(at, "bold")], *[[(row, "")] for row in rows], []])
    if document.has_errors:
        output.note(f"{file} has errors: run `agentic-dsl validate {file}`")
        raise typer.Exit(FINDINGS)


def _width() -> int:
    """The columns there are: those of the terminal, 80 off one."""
    if not is_terminal(sys.stdout):
        return _USUAL_WIDTH
    return max(shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns, _LEAST_WIDTH)
