"""``agentic-dsl validate``: every finding about documents."""

from __future__ import annotations

from typing import Annotated

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli.inputs import document_files, read_document, read_library
from agentic_dsl.cli.options import FormatOption, LibOption, QuietOption, check_mode, output_of
from agentic_dsl.cli.output import FINDINGS
from agentic_dsl.cli.settings import LIB, CheckMode, Settings
from agentic_dsl.diagnostics import Diagnostic


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Documents, folders of them, or - for stdin.")],
    lib: LibOption = None,
    mode: Annotated[
        CheckMode | None, typer.Option("--mode", help="How doubtful documents are judged; strict by default.")
    ] = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print every finding about documents.

    Each with its place and a remedy; all findings at once.

    Exit code 0: no errors. 1: errors. 2: a file cannot be read.
    """
    settings = Settings.load()
    output = output_of(settings, format, quiet)
    library = read_library(lib or settings.value(LIB))
    names = document_files(files)
    from agentic_dsl.compiler.check import check

    records, everything = [], list[Diagnostic]()
    for name in names:
        document = read_document(name)
        found = check(document, library=library, mode=check_mode(settings, mode))
        everything += found
        ok = not any(d.is_error for d in found)
        if output.json:
            records.append({"path": name, "ok": ok, "diagnostics": [d.record(document.source) for d in found]})
        else:
            output.lines(findings.show(found, document.source))
            records.append({"path": name, "ok": ok})
    errors = sum(d.is_error for d in everything)
    if output.json:
        warnings = sum(d.severity.value == "warning" for d in everything)
        output.record({"files": records, "summary": {"files": len(records), "errors": errors, "warnings": warnings}})
    else:
        output.note(findings.summary(len(records), everything))
    if errors:
        raise typer.Exit(FINDINGS)
