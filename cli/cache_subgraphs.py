"""``agentic-dsl cache subgraphs``: answers that were generated before."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import plural
from agentic_dsl.cli.settings import Settings

if TYPE_CHECKING:
    from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

app = typer.Typer(no_args_is_help=True, help="List and remove cached subgraphs.")

PathOption = Annotated[
    str | None, typer.Option("--path", metavar="P", help="Only blocks at or below this path, such as /dynamic/plan.")
]
LibraryOption = Annotated[
    str | None,
    typer.Option("--library", metavar="P", help="Only answers that may call a library entry at or below this path."),
]
VersionOption = Annotated[
    str | None, typer.Option("--version", metavar="V", help="Only of this version of the library: 1 is every 1.x.y.")
]


@app.command("ls")
def ls(
    path: PathOption = None,
    library: LibraryOption = None,
    version: VersionOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the answers in the cache, the last used first."""
    from agentic_dsl.runtime.subgraph_cache.port import Selection

    output = output_of(Settings.load(), format, quiet)
    selection = None if path is library is version is None else Selection(path, library, version)
    file, cache = _existing()
    entries = [] if cache is None else cache.ls()
    entries = [e for e in entries if selection is None or selection.holds(e.path, e.libraries)]
    if output.json:
        records = [
            {
                "digest": entry.digest,
                "path": entry.path,
                "engine": entry.engine,
                "libraries": None if entry.libraries is None else [asdict(use) for use in entry.libraries],
                "bytes": entry.nbytes,
                "created": _time(entry.created),
                "used": _time(entry.used),
            }
            for entry in entries
        ]
        output.record({"file": str(file), "entries": records})
        return
    for entry in entries:
        output.data(
            f"{entry.digest[:16]}  {size(entry.nbytes):>9}  {_printable(entry.path)}  {_printable(entry.engine)}"
            f"  used {_time(entry.used)}\n"
        )
    output.note(f"{plural(len(entries), 'subgraph')} in {file}")


@app.command("clear")
def clear(
    path: PathOption = None,
    library: LibraryOption = None,
    version: VersionOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Remove answers from the cache: all, or those that the options name."""
    from agentic_dsl.runtime.subgraph_cache.port import Selection

    output = output_of(Settings.load(), format, quiet)
    everything = path is library is version is None
    if not everything:
        Selection(path, library, version)  # wrong options are wrong even where there is nothing to remove
    file, cache = _existing()
    removed = 0
    if cache is not None:
        removed = cache.clear() if everything else cache.invalidate(path, library=library, version=version)
    if output.json:
        output.record({"file": str(file), "removed": removed})
    else:
        output.note(f"removed {plural(removed, 'subgraph')} from {file}")


@app.command("stats")
def stats(format: FormatOption = None, quiet: QuietOption = False) -> None:
    """Say how many answers the cache holds and what they take."""
    output = output_of(Settings.load(), format, quiet)
    file, cache = _existing()
    found = None if cache is None else cache.stats()
    entries, nbytes = (0, 0) if found is None else (found.entries, found.bytes)
    if output.json:
        output.record({"file": str(file), "entries": entries, "bytes": nbytes})
    else:
        output.data(f"{plural(entries, 'subgraph')}, {size(nbytes)}\n")


def _existing() -> tuple[Path, SqliteSubgraphCache | None]:
    """The file and the cache in it, None where there is none: looking creates nothing."""
    from agentic_dsl.runtime.folders import cache_folder
    from agentic_dsl.runtime.subgraph_cache.schema import FILE
    from agentic_dsl.runtime.subgraph_cache.sqlite import SqliteSubgraphCache

    file = cache_folder() / FILE
    return file, SqliteSubgraphCache(file) if file.is_file() else None


def size(nbytes: int) -> str:
    """A number of bytes as people read it."""
    if nbytes < 1 << 10:
        return f"{nbytes} B"
    if nbytes < 1 << 20:
        return f"{nbytes / (1 << 10):.0f} KiB"
    if nbytes < 1 << 30:
        return f"{nbytes / (1 << 20):.1f} MiB"
    return f"{nbytes / (1 << 30):.1f} GiB"


def _printable(text: str) -> str:
    """A text from the file, in which a terminal finds nothing to obey."""
    return "".join(character if character.isprintable() else "�" for character in text[:200])


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(max(seconds, 0.0), 4e9)))
