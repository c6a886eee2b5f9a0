"""``agentic-dsl cache``: compiled masks and generated subgraphs on disk."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from agentic_dsl.cli import cache_subgraphs
from agentic_dsl.cli import settings as names
from agentic_dsl.cli.cache_subgraphs import size
from agentic_dsl.cli.option_groups import takes
from agentic_dsl.cli.options import (
    ConstraintOptions,
    FormatOption,
    QuietOption,
    output_of,
)
from agentic_dsl.cli.output import FINDINGS, plural
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Build, list, verify and clean the mask store; list and clear subgraphs.")
app.add_typer(cache_subgraphs.app, name="subgraphs")

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@app.command("build")
@takes(constraints=ConstraintOptions)
def build(
    constraints: ConstraintOptions,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="T", help="Tokenizer to build masks for; smollm2 by default.")
    ] = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compile the masks of constraints into the store, so that the first request finds them."""
    from agentic_dsl.cli.masks import mask_record
    from agentic_dsl.compiler.pipeline import compile as compile_spec

    settings = Settings.load()
    output = output_of(settings, format, quiet)
    spec = compile_spec(constraints.to_constraints(settings, output), dialect="xgrammar")
    record = mask_record(spec.grammar, settings.value(names.TOKENIZER, tokenizer) or names.DEFAULT_MODEL)
    if output.json:
        output.record({"masks": record})
    else:
        output.note(f"{'found' if record['cached'] else 'compiled'} {size(record['bytes'] or 0)}")
        output.data(f"{record['key']}\n")


@app.command("ls")
def ls(format: FormatOption = None, quiet: QuietOption = False) -> None:
    """List the entries of the store, the last used first."""
    from agentic_dsl.runtime.mask_store import MaskStore

    output = output_of(Settings.load(), format, quiet)
    store = MaskStore()
    entries = store.ls()
    if output.json:
        records: list[dict[str, Any]] = [
            {
                "key": entry.key.digest,
                "path": str(entry.path),
                "bytes": entry.nbytes,
                "backend": f"{entry.key.backend} {entry.key.backend_version}",
                "tokenizer": entry.key.tokenizer,
                "created": _time(entry.created),
                "used": _time(entry.used),
            }
            for entry in entries
        ]
        output.record({"folder": str(store.folder), "entries": records})
        return
    for entry in entries:
        output.data(
            f"{entry.key.digest[:16]}  {size(entry.nbytes):>9}  {entry.key.backend} {entry.key.backend_version}"
            f"  tokenizer {entry.key.tokenizer[:8]}  used {_time(entry.used)}\n"
        )
    total = sum(entry.nbytes for entry in entries)
    output.note(f"{plural(len(entries), 'entry', 'entries')}, {size(total)} in {store.folder}")


@app.command("verify")
def verify(
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is damaged.")] = False,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read every entry of the store and name those that are damaged.

    Exit code 0: all are whole. 1: some are not.
    """
    from agentic_dsl.runtime.mask_store import MaskStore

    output = output_of(Settings.load(), format, quiet)
    store = MaskStore()
    count = len(store.ls())
    damaged = store.verify(remove=remove)
    if output.json:
        output.record(
            {
                "folder": str(store.folder),
                "damaged": [{"path": str(entry.path), "reason": entry.reason} for entry in damaged],
                "removed": remove,
            }
        )
    else:
        for entry in damaged:
            output.data(f"{entry.path}: {entry.reason}{' (removed)' if remove else ''}\n")
        output.note(f"{plural(count, 'entry', 'entries')}, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(FINDINGS)


@app.command("gc")
def gc(
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Keep at most this much: bytes, or 200M, 1G; 0 empties it."),
    ] = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Remove the entries that were not used for longest, until the rest fits."""
    from agentic_dsl.runtime.mask_store import MaskStore

    output = output_of(Settings.load(), format, quiet)
    collected = MaskStore().gc(None if max_size is None else _bytes(max_size))
    if output.json:
        output.record(
            {
                "removed": [str(path) for path in collected.removed],
                "bytes_before": collected.bytes_before,
                "bytes_after": collected.bytes_after,
            }
        )
        return
    for path in collected.removed:
        output.data(f"{path}\n")
    output.note(
        f"removed {plural(len(collected.removed), 'entry', 'entries')}: "
        f"{size(collected.bytes_before)} before, {size(collected.bytes_after)} now"
    )


def _bytes(text: str) -> int:
    number, unit = text.strip().upper().removesuffix("B").removesuffix("I"), ""
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], number[-1]
    if not number.strip().isdecimal():
        raise UsageError(f'"{text}" is no size', help="write a number of bytes, or 200M, or 1G")
    return int(number) * _UNITS[unit]


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
