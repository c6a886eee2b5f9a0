"""``agentic-dsl skills prefill``: reads skills ahead of requests and keeps what was computed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli.engine_options import EngineOptions
from agentic_dsl.cli.option_groups import takes
from agentic_dsl.cli.options import ConstraintOptions, FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import Output, plural
from agentic_dsl.cli.settings import Settings
from agentic_dsl.cli.skill_findings import note_findings
from agentic_dsl.cli.skills import RootOption, registry_of, skills_app
from agentic_dsl.cli.table import table
from agentic_dsl.errors import GenerationError, UsageError

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.base import Engine, Prompt
    from agentic_dsl.runtime.engines.prefills import Prefilled

_TITLES = ("skill", "tokens", "read", "seconds")


@skills_app.command("prefill")
@takes(constraints=ConstraintOptions, engine=EngineOptions)
def prefill(
    constraints: ConstraintOptions,
    engine: EngineOptions,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="This skill; repeatable.")] = None,
    root: RootOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let the model read every skill once and save what it computed, so that later requests begin at once.

    What comes before the skills in a prompt depends on the contract: give the constraint options of the requests.
    Skills that were saved before, and have not changed, cost nothing.
    """
    from agentic_dsl.runtime.engines.prefills import Prefills
    from agentic_dsl.runtime.prefill import skill_prompts

    settings = Settings.load()
    output = output_of(settings, format, quiet)
    registry = registry_of(root)
    unknown = sorted(set(only or ()) - {skill.name for skill in registry.skills})
    if unknown:
        raise UsageError(f'there is no skill "{unknown[0]}"', help="list them: agentic-dsl skills list")
    names = [skill.name for skill in registry.skills if not only or skill.name in only]
    wanted = constraints.to_constraints(settings, output)
    prompts = skill_prompts(registry, wanted, names)
    # Without the queue: this command asks for one thing at a time, and of the engine itself.
    config = replace(engine.to_config(settings), batch={})
    with closing(config.open()) as opened, _progress(output, names) as on_done:
        saves = isinstance(opened, Prefills)
        done = _prefilled(opened, dict(zip(names, prompts, strict=True)), save=saves, on_done=on_done)
    saved = all(one.saved for one in done)
    if output.json:
        output.record({"saved": saves and saved, "skills": [_record(*pair) for pair in zip(names, done, strict=True)]})
    else:
        output.lines(
            table(_TITLES, [_row(*pair) for pair in zip(names, done, strict=True)], right=frozenset(_TITLES[1:]))
        )
        where = "kept by the server" if not saves else "saved for other processes" if saved else "not all of it saved"
        output.note(f"{plural(sum(one.tokens - one.reused for one in done), 'token')} read, {where}")
    note_findings(registry, output)


def _prefilled(
    engine: Engine, prompts: Mapping[str, Prompt], *, save: bool, on_done: Callable[[int, Prefilled], None] | None
) -> list[Prefilled]:
    """Lets the engine read the prompts of some skills; what cannot be read is told with the skill's name."""
    from agentic_dsl.runtime.prefill import prefill_all

    names = iter(prompts)
    reading = next(names, "")

    def advance(number: int, done: Prefilled) -> None:
        nonlocal reading
        reading = next(names, "")
        if on_done is not None:
            on_done(number, done)

    try:
        return prefill_all(engine, prompts.values(), save=save, on_done=advance)
    except GenerationError as exc:
        raise GenerationError(f'the skill "{reading}": {exc.message}', help=exc.help) from exc


def _row(name: str, done: Prefilled) -> tuple[str, ...]:
    return name, f"{done.tokens:,}", f"{done.tokens - done.reused:,}", f"{done.seconds:.1f}"


def _record(name: str, done: Prefilled) -> dict[str, Any]:
    return {"name": name, "tokens": done.tokens, "reused": done.reused, "seconds": done.seconds}


@contextmanager
def _progress(output: Output, names: Sequence[str]) -> Iterator[Callable[[int, Prefilled], None] | None]:
    """A bar on a terminal; gives what is called after each skill."""
    if not output.shows_progress or not names:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bars:
        bar = bars.add_task(names[0], total=len(names))

        def advance(number: int, _: Prefilled) -> None:
            following = names[number + 1] if number + 1 < len(names) else "done"
            bars.update(bar, advance=1, description=following)

        yield advance
