"""``agentic-dsl fmt``: the canonical layout."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli.inputs import STDIN, document_files, read_document
from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import FINDINGS, Output, plural, write_file
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.ast import Document


def fmt(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES", help="Documents, folders of them, or - for stdin to stdout.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Rewrite documents in the canonical layout.

    A document that cannot be read without errors is left as it is. Exit code 0: done. 1: such a document, or with
    --check or --diff a file that would change. 2: a file cannot be read or written.
    """
    from agentic_dsl.format import format_document

    output = output_of(Settings.load(), format, quiet)
    names = document_files(files)
    if STDIN in names and len(names) > 1:
        raise UsageError("standard input cannot be formatted together with files", help="format it alone")
    records: list[dict[str, Any]] = []
    for name in names:
        document = read_document(name)
        old = new = document.source.text
        if document.has_errors:
            _refuse(document, name, output)
        else:
            new = format_document(document)
            _deliver(name, old, new, check=check, diff=diff, output=output)
        records.append(
            {
                "path": name,
                "ok": not document.has_errors,
                "changed": old != new,
                "text": new if name == STDIN else None,
                "diagnostics": [d.record(document.source) for d in document.diagnostics if d.is_error],
            }
        )
    _conclude(records, dry=check or diff, output=output)


def _refuse(document: Document, name: str, output: Output) -> None:
    errors = [d for d in document.diagnostics if d.is_error]
    if not output.json:
        output.lines(findings.show(errors, document.source), stream=sys.stderr)
        sys.stderr.write(f"{name}: not formatted, because it has {plural(len(errors), 'error')}\n")


def _deliver(name: str, old: str, new: str, *, check: bool, diff: bool, output: Output) -> None:
    """Writes or shows the new text of one document, as the flags say."""
    if diff and not output.json:
        output.lines(_diff(name, old, new))
    elif check:
        if old != new and not output.json:
            output.data(f"would reformat {name}\n")
    elif name == STDIN and not output.json:
        output.data(new)
    elif name != STDIN and old != new and not diff:
        write_file(Path(name), new)
        output.note(f"reformatted {name}")


def _diff(name: str, old: str, new: str) -> list[list[tuple[str, str]]]:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name} (formatted)", lineterm="")
    return [[(line, "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], ""))] for line in lines]


def _conclude(records: list[dict[str, Any]], *, dry: bool, output: Output) -> None:
    changed = sum(record["changed"] for record in records)
    refused = sum(not record["ok"] for record in records)
    if output.json:
        output.record({"files": records, "summary": {"files": len(records), "changed": changed, "refused": refused}})
    else:
        verb = "would be reformatted" if dry else "reformatted"
        output.note(f"{plural(len(records), 'file')}: {changed} {verb}, {len(records) - changed - refused} unchanged")
    if refused or (dry and changed):
        raise typer.Exit(FINDINGS)
