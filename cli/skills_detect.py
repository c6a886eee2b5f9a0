"""``agentic-dsl skills detect``: which skills a request needs, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agentic_dsl.cli.inputs import STDIN, read_text
from agentic_dsl.cli.options import FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import FINDINGS, Output
from agentic_dsl.cli.settings import Settings
from agentic_dsl.cli.skill_findings import note_findings
from agentic_dsl.cli.skills import RootOption, registry_of, skills_app

if TYPE_CHECKING:
    from agentic_dsl.skills.detection import Detection


class RankerChoice(StrEnum):
    """How skills are ranked; a test holds it to the rankers that there are."""

    LEXICAL = "lexical"
    EMBEDDING = "embedding"
    HYBRID = "hybrid"


@skills_app.command("detect")
def detect(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="What is asked, in words, or - for stdin.")],
    skill: Annotated[
        list[str] | None, typer.Option("--skill", metavar="NAME", help="Use this skill in any case; repeatable.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print what each skill was found by, or why not.")] = False,
    budget: Annotated[
        int | None, typer.Option("--budget", metavar="TOKENS", min=0, help="Most tokens of all skills together.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="Most skills beside those asked for and those required.")
    ] = 3,
    ranker: Annotated[
        RankerChoice, typer.Option("--ranker", help="By words, by meaning, or both.")
    ] = RankerChoice.LEXICAL,
    root: RootOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the skills that a request needs, with those that they require.

    A request can name skills itself: $fork-and-join, "use the fork-and-join skill".

    Exit code 0: done, also where no skill is needed. 1: a skill that was asked for by name is not among them.
    """
    from agentic_dsl.skills.detector import SkillDetector  # with all that ranking needs

    output = output_of(Settings.load(), format, quiet)
    text = read_text(STDIN, "the request") if request == STDIN else request
    registry = registry_of(root)
    detector = SkillDetector(registry, ranker=ranker.value)
    found = detector.detect(text, explicit=skill or (), token_budget=budget, limit=limit)
    if output.json:
        output.record(found.record())
    elif explain:
        output.data(found.explain())  # of the request it holds words alone, so nothing that steers a terminal
    else:
        output.data("".join(f"{name}\n" for name in found.names))
        _note_missing(found, output)
    note_findings(registry, output)
    if not found.complete:
        raise typer.Exit(FINDINGS)


def _note_missing(found: Detection, output: Output) -> None:
    """Says what was asked for by name and is not there, and that nothing is where that is so."""
    for one in found.dropped:
        if one.asked_for:
            output.note(f'"{one.name}" is left out: {one.message}')
    if not found.selected:
        output.note("no skill is needed; --explain tells what came closest")
