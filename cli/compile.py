"""``agentic-dsl compile``: constraints to a grammar, with the report of what enforces each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import settings as names
from agentic_dsl.cli.option_groups import takes
from agentic_dsl.cli.options import (
    ConstraintOptions,
    FormatOption,
    OutOption,
    QuietOption,
    output_of,
)
from agentic_dsl.cli.output import Styled
from agentic_dsl.cli.settings import Settings
from agentic_dsl.compiler.dialects import DIALECTS, Dialect
from agentic_dsl.errors import ConstraintError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from agentic_dsl.cli.masks import MaskRecord
    from agentic_dsl.compiler.pipeline import CompiledSpec, ReportEntry

_LEVEL_STYLES = {"grammar": "green", "overlay": "green", "checked": "yellow", "unsupported": "red"}


@takes(constraints=ConstraintOptions)
def compile(
    constraints: ConstraintOptions,
    document: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="Document to take constraints from; the same as --spec.")
    ] = None,
    dialect: Annotated[Dialect | None, typer.Option("--dialect", help="Grammar dialect; xgrammar by default.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            metavar="T",
            help="Also tell the fewest tokens of an answer, and compile token masks for the xgrammar dialect: bytes, "
            "smollm2, a file, folder or hub name.",
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
    if chosen == _UNCOUNTED:
        if tokenizer is not None:
            raise UsageError(
                f"the fewest tokens of an answer in the dialect {chosen} are not known",
                help="leave out --tokenizer, or take another --dialect",
            )
        wanted = None
    compiled = compile_spec(constraints.to_constraints(settings, out), dialect=chosen)
    cost = _Cost() if wanted is None else _cost(compiled, wanted)
    if out.json:
        record = compiled_record(compiled) | {"masks": cost.masks, "minimum_tokens": cost.minimum_tokens}
        out.save(output, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    out.notes(report_lines(compiled.report))
    if cost.minimum_tokens is not None:
        out.note(f"the shortest answer takes {cost.minimum_tokens:,} tokens of {wanted}, end token included")
    if cost.masks is not None:
        state = "found in the store" if cost.masks["cached"] else "compiled"
        out.note(f"masks {cost.masks['key'][:16]} {state}: {cost.masks['path'] or 'not stored'}")
    out.save(output, compiled.grammar)


_UNCOUNTED = "llguidance-parametric"
"""Its node ids are fixed, so the matcher's shortest answer may be none of its texts."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a tokenizer makes of a spec; all None where none is given."""

    minimum_tokens: int | None = None
    masks: MaskRecord | None = None


def _cost(compiled: CompiledSpec, tokenizer: str) -> _Cost:
    """The fewest tokens of an answer, and the masks where the dialect has any.

    Raises:
        ConstraintError: the budget is smaller than the shortest answer, or the tokenizer cannot spell one.
        TokenizerError: the tokenizer cannot be loaded.
        MissingExtraError: a library that this needs is not installed.
    """
    from agentic_dsl.runtime.tokenizer import load_tokenizer

    try:
        from agentic_dsl.runtime.matcher.semantic_matcher import minimum_tokens
    except ImportError as exc:  # its tables are arrays
        raise MissingExtraError.of("numpy", "masks") from exc
    least = minimum_tokens(compiled, load_tokenizer(tokenizer))
    budget = compiled.constraints.max_output_tokens
    if budget is not None and budget < least:
        raise ConstraintError(
            f"max_output_tokens is {budget:,}, but the shortest answer takes {least:,} tokens of {tokenizer}",
            help=f"allow at least {least:,}",
        )
    if not DIALECTS[compiled.dialect].masks:
        return _Cost(least)
    from agentic_dsl.cli.masks import mask_record

    return _Cost(least, mask_record(compiled.grammar, tokenizer))


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
