"""``agentic-dsl models``: the embedded models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import Output
from agentic_dsl.cli.settings import Settings

if TYPE_CHECKING:
    from agentic_dsl.runtime.model_download import PullProgress

app = typer.Typer(no_args_is_help=True, help="Fetch and list the embedded models.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of an embedded model, such as smollm2.")]

_STAGES = {"download": "downloading", "verify": "verifying", "convert": "converting"}


@app.command("pull")
def pull(name: NameArgument = "smollm2", format: FormatOption = None, quiet: QuietOption = False) -> None:
    """Fetch a model, verify its checksum and convert it. Does nothing where that is done."""
    from agentic_dsl.runtime.models import pull as pull_model

    output = output_of(Settings.load(), format, quiet)
    with _progress(output, name) as progress:
        path = pull_model(name, progress=progress)
    if output.json:
        output.record({"name": name, "path": str(path)})
    else:
        output.note(f"{name} is ready")
        output.data(f"{path}\n")


@app.command("ls")
def ls(format: FormatOption = None, quiet: QuietOption = False) -> None:
    """List the embedded models, with the size of those that are pulled."""
    from agentic_dsl.runtime.models import list_models

    output = output_of(Settings.load(), format, quiet)
    statuses = list_models()
    if output.json:
        output.record(
            {
                "models": [
                    {
                        "name": status.spec.name,
                        "title": status.spec.title,
                        "license": status.spec.license,
                        "path": str(status.path) if status.path else None,
                        "bytes": status.nbytes if status.path else None,
                    }
                    for status in statuses
                ]
            }
        )
        return
    for status in statuses:
        state = f"{status.nbytes / 1e6:,.0f} MB" if status.path else "not pulled"
        output.data(f"{status.spec.name:<12} {state:>12}  {status.spec.title} ({status.spec.license})\n")


@app.command("path")
def path(name: NameArgument = "smollm2", format: FormatOption = None, quiet: QuietOption = False) -> None:
    """Print the folder of a pulled model."""
    from agentic_dsl.runtime.models import require_model

    output = output_of(Settings.load(), format, quiet)
    folder = require_model(name)
    if output.json:
        output.record({"name": name, "path": str(folder)})
    else:
        output.data(f"{folder}\n")


@contextmanager
def _progress(output: Output, name: str) -> Iterator[Callable[[PullProgress], None]]:
    """Shows how far a pull is: bars on a terminal, one line a stage elsewhere."""
    if not output.shows_progress:
        seen: set[str] = set()

        def note(progress: PullProgress) -> None:
            if progress.stage in _STAGES and progress.stage not in seen:
                seen.add(progress.stage)
                output.note(f"{_STAGES[progress.stage]} {name}")

        yield note
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def draw(progress: PullProgress) -> None:
            if progress.stage not in _STAGES:
                return
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(f"{_STAGES[progress.stage]} {name}", total=None)
            bars.update(tasks[progress.stage], completed=progress.done, total=progress.total)

        yield draw
