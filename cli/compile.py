"""``agentic-dsl compile``: constraints to a grammar, with the report of what enforces each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import settings as names
from agentic_dsl.cli.options import (
    ConstraintOptions,
    FormatOption,
    OutOption,
    QuietOption,
    output_of,
    takes_constraints,
)
from agentic_dsl.cli.output import Styled
from agentic_dsl.cli.settings import Dialect, Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.compiler.pipeline import CompiledSpec, ReportEntry

_LEVEL_STYLES = {"grammar": "green", "overlay": "green", "checked": "yellow", "unsupported": "red"}


@takes_constraints
def compile(
    constraints: ConstraintOptions,
    document: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="Document to take constraints from; the same as --spec.")
    ] = None,
    dialect: Annotated[Dialect | None, typer.Option("--dialect", help="Grammar dialect; xgrammar by default.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer", metavar="T", help="Also compile token masks: bytes, smollm2, a file, folder or hub name."
        ),
    ] = None,
    output: OutOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compile constraints to a grammar.

    The report on stderr says for each constraint what enforces it.
    """
    from agentic_dsl.compiler.pipeline import compile as compile_spec

    settings = Settings.load()
    out = output_of(settings, format, quiet)
    if document is not None:
        if constraints.spec is not None:
            raise UsageError("SPEC and --spec both name a document", help="give one of them")
        constraints = replace(constraints, spec=document)
    chosen = settings.value(names.DIALECT, dialect)
    wanted = settings.value(names.TOKENIZER, tokenizer)
    if tokenizer is not None and chosen is not Dialect.XGRAMMAR:
        raise UsageError(
            f"masks cannot be made from {chosen}", help="leave out --tokenizer, or take --dialect xgrammar"
        )
    compiled = compile_spec(
        constraints.to_constraints(settings, out), dialect="gbnf" if chosen is Dialect.GBNF else "xgrammar"
    )
    masks = None
    if wanted is not None and chosen is Dialect.XGRAMMAR:
        from agentic_dsl.cli.masks import mask_record

        masks = mask_record(compiled.grammar, wanted)
    if out.json:
        record = compiled_record(compiled) | {"masks": masks}
        out.save(output, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    out.notes(report_lines(compiled.report))
    if masks is not None:
        state = "found in the store" if masks["cached"] else "compiled"
        out.note(f"masks {masks['key'][:16]} {state}: {masks['path'] or 'not stored'}")
    out.save(output, compiled.grammar)


def compiled_record(compiled: CompiledSpec) -> dict[str, Any]:
    """A compiled spec as ``--format json`` prints it."""
    return {
        "dialect": compiled.dialect,
        "grammar": compiled.grammar,
        "constraints": json.loads(compiled.constraints.canonical_json),
        "report": report_records(compiled.report),
    }


def report_records(report: Sequence[ReportEntry]) -> list[dict[str, str]]:
    """The enforcement report as JSON data."""
    return [{"constraint": e.constraint, "level": e.level.value, "detail": e.detail} for e in report]


def report_lines(report: Sequence[ReportEntry]) -> list[Styled]:
    """The enforcement report as a table for people."""
    wide = max((len(entry.constraint) for entry in report), default=0)
    level = max((len(entry.level.value) for entry in report), default=0)
    return [
        [
            (f"{entry.constraint:<{wide}}  ", "bold"),
            (f"{entry.level.value:<{level}}", _LEVEL_STYLES.get(entry.level.value, "")),
            (f"  {entry.detail}", ""),
        ]
        for entry in report
    ]
