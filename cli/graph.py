"""``agentic-dsl graph``: subgraphs as drawings: in the terminal, as Mermaid, DOT or SVG, as a page."""

from __future__ import annotations

import json
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentic_dsl.cli.inputs import read_document, read_library
from agentic_dsl.cli.options import FormatOption, LibOption, OutOption, QuietOption, check_mode, output_of
from agentic_dsl.cli.output import FINDINGS, Output, is_terminal, plural, takes_unicode
from agentic_dsl.cli.settings import LIB, CheckMode, Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.ast import Document
    from agentic_dsl.compiler.diagram import Diagram
    from agentic_dsl.compiler.library import Library

_LEAST_WIDTH, _USUAL_WIDTH = 40, 80


class Drawing(StrEnum):
    """What a graph is drawn as."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"
    HTML = "html"


_SUFFIXES = {
    ".mmd": Drawing.MERMAID,
    ".mermaid": Drawing.MERMAID,
    ".dot": Drawing.DOT,
    ".gv": Drawing.DOT,
    ".svg": Drawing.SVG,
    ".html": Drawing.HTML,
    ".htm": Drawing.HTML,
}
"""How files of each drawing are called."""


def graph(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Document, or - for stdin.")],
    path: Annotated[
        str | None, typer.Option("--path", metavar="P", help="Draw only the subgraph at this path.")
    ] = None,
    drawing: Annotated[
        Drawing | None,
        typer.Option("--as", help="What to draw; by default what the suffix of OUT says, else text."),
    ] = None,
    out: OutOption = None,
    lib: LibOption = None,
    mode: Annotated[
        CheckMode | None, typer.Option("--mode", help="How doubtful documents are judged; strict by default.")
    ] = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="Draw text with ASCII characters only.")] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Draw subgraphs: in the terminal, as Mermaid, DOT, SVG or an HTML page.

    All but the terminal's drawing show what `validate` finds, at the nodes. Exit code 0: drawn. 1: the document has
    errors, and what could be read is drawn. 2: nothing to draw.
    """
    settings = Settings.load()
    output = output_of(settings, format, quiet)
    chosen = drawing or _SUFFIXES.get(Path(out or "").suffix.lower(), Drawing.TEXT)
    if ascii and chosen is not Drawing.TEXT:
        raise UsageError(f"--ascii is about text, and {chosen.value} is drawn", help="leave out --ascii or --as")
    library = read_library(lib or settings.value(LIB))
    document = read_document(file)
    _check_path(document, file, path)
    if chosen is Drawing.TEXT:
        _draw_text(document, file, path, ascii=ascii, out=out, output=output)
    else:
        diagram = _diagram(document, path, library, check_mode(settings, mode))
        _deliver(diagram, file, chosen, out, output)
    if document.has_errors:
        output.note(f"{file} has errors: run `agentic-dsl validate {file}`")
        raise typer.Exit(FINDINGS)


def _check_path(document: Document, file: str, path: str | None) -> None:
    """Raises a `UsageError` where there is nothing to draw."""
    there = [str(subgraph.path) for subgraph in document.subgraphs]
    if there and (path is None or path in there):
        return
    what = f"{file} has no subgraph" + (f" {path}" if path else "")
    raise UsageError(what, help=f"name one of: {', '.join(there)}" if there else "name a document with a subgraph")


def _draw_text(
    document: Document, file: str, path: str | None, *, ascii: bool, out: str | None, output: Output
) -> None:
    """The terminal's drawing, one after the other where there are several subgraphs."""
    from agentic_dsl.cli.drawing.draw import draw

    to_file = out is not None and out != "-"
    unicode = not ascii and (to_file or takes_unicode(sys.stdout))
    width = _USUAL_WIDTH if to_file else _width()
    drawings = [
        (str(subgraph.path), draw(subgraph, width=width, unicode=unicode))
        for subgraph in document.subgraphs
        if path is None or str(subgraph.path) == path
    ]
    if output.json:
        record = {"path": file, "subgraphs": [{"path": at, "drawing": rows} for at, rows in drawings]}
        _save_record(record, out, output)
    elif to_file:
        output.save(out, "".join("\n".join([at, *rows, "", ""]) for at, rows in drawings))
    else:
        for at, rows in drawings:
            output.lines([[(at, "bold")], *[[(row, "")] for row in rows], []])


def _diagram(
    document: Document, path: str | None, library: Library | None, mode: Literal["strict", "lenient"]
) -> Diagram:
    """The diagram of a document with what `validate` finds in it."""
    from agentic_dsl.compiler.check import check
    from agentic_dsl.compiler.checks.context import CheckContext
    from agentic_dsl.compiler.diagram_builder import build_diagram

    findings = check(document, library=library, mode=mode)
    return build_diagram(CheckContext(document, library, None, mode).graph, findings, path=path)


def _deliver(diagram: Diagram, file: str, drawing: Drawing, out: str | None, output: Output) -> None:
    text = _drawn(diagram, drawing, output)
    if output.json:
        from agentic_dsl.cli.drawing.page import diagram_record

        record = {"path": file, "as": drawing.value, "drawing": text, "diagram": diagram_record(diagram)}
        _save_record(record, out, output)
    else:
        output.save(out, text)
    if found := len(diagram.all_findings):
        output.note(f"{plural(found, 'finding')} shown: run `agentic-dsl validate {file}` to read them")


def _save_record(record: dict[str, Any], out: str | None, output: Output) -> None:
    if out is None or out == "-":
        output.record(record)
    else:
        output.save(out, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def _drawn(diagram: Diagram, drawing: Drawing, output: Output) -> str:
    """The text of a drawing; its writer is loaded when it is needed."""
    match drawing:
        case Drawing.DOT:
            from agentic_dsl.cli.drawing.dot import draw_dot

            return draw_dot(diagram)
        case Drawing.SVG:
            from agentic_dsl.cli.drawing.svg import draw_svg

            return draw_svg(diagram)
        case Drawing.HTML:
            from agentic_dsl.cli.drawing.page import draw_page

            return draw_page(diagram)
        case _:
            from agentic_dsl.cli.drawing.mermaid import MAX_CHARACTERS, MAX_EDGES, draw_mermaid

            text = draw_mermaid(diagram)
            if len(text) > MAX_CHARACTERS or len(diagram.ways) > MAX_EDGES:
                output.note(
                    f"Mermaid shows {MAX_CHARACTERS:,} characters and {MAX_EDGES} edges unless it is told otherwise; "
                    f"this has {len(text):,} and {len(diagram.ways):,}: choose one subgraph with --path, or draw a page"
                )
            return text


def _width() -> int:
    """The columns there are: those of the terminal, 80 off one."""
    if not is_terminal(sys.stdout):
        return _USUAL_WIDTH
    return max(shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns, _LEAST_WIDTH)
