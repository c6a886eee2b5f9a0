"""``agentic-dsl diff``: what changed between two versions of a library, and whether its versions say so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli.options import OutOption, QuietOption
from agentic_dsl.cli.output import FINDINGS, Output, Styled, plural
from agentic_dsl.cli.settings import FORMAT, QUIET, Settings

if TYPE_CHECKING:
    from agentic_dsl.compiler.compatibility.change import Comparison, Place, Verdict
    from agentic_dsl.compiler.compatibility.findings import NameOf
    from agentic_dsl.compiler.compatibility.levels import Level


class DiffFormat(StrEnum):
    """How changes are printed."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    MARKDOWN = "markdown"


class FailOn(StrEnum):
    """Which changes must be declared by a version."""

    BREAKING = "breaking"
    ADDITIVE = "additive"
    NEVER = "never"


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="File, folder, or git revision as REVISION:PATH.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same, later.")],
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit 1 for changes of this level or worse that no version declares.")
    ] = FailOn.BREAKING,
    format: Annotated[DiffFormat | None, typer.Option("--format", help="How changes are printed.")] = None,
    output: OutOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print what changed for the callers of a library, and the versions that would say so.

    A change is breaking, additive or a patch. Blocks are matched by path and major version.

    Exit code 0: the versions say what breaks. 1: they do not. 2: a version cannot be read.
    """
    from agentic_dsl.cli.diff_sources import first_error, read_version, refuse_unreadable
    from agentic_dsl.compiler.compatibility.compare import compare

    settings = Settings.load()
    chosen = format or DiffFormat(settings.value(FORMAT).value)
    streams = Output(json=chosen is DiffFormat.JSON, quiet=settings.value(QUIET, True if quiet else None))
    before, after = read_version(old), read_version(new)
    refuse_unreadable(after, new)
    if (broken := first_error(before.library)) is not None:
        streams.note(f"{old} is compared as far as it can be read: {broken}")
    comparison = compare(before.library, after.library)
    files = {"old": before.files, "new": after.files}

    def name_of(place: Place) -> str:
        shown = place.document.source.path or ""
        return files[place.side].get(shown, shown)

    if chosen is DiffFormat.TEXT and output in (None, "-"):
        streams.lines(_lines(comparison))
    else:
        streams.save(output, _text(comparison, chosen, name_of))
    if not streams.json:
        streams.note(_summary(comparison))
    if comparison.undeclared(_levels(fail_on)):
        raise typer.Exit(FINDINGS)


def _levels(fail_on: FailOn) -> tuple[Level, ...]:
    """The levels that a version must declare."""
    from agentic_dsl.compiler.compatibility.levels import Level

    match fail_on:
        case FailOn.BREAKING:
            return (Level.BREAKING,)
        case FailOn.ADDITIVE:
            return (Level.BREAKING, Level.ADDITIVE)
        case FailOn.NEVER:
            return ()


# --- text ------------------------------------------------------------------------------------------------------------

_STYLES = {"breaking": "bold red", "additive": "bold green", "patch": "bold cyan"}


def _lines(comparison: Comparison) -> Iterator[Styled]:
    """All entries with their changes."""
    for verdict in comparison.verdicts:
        yield _head(verdict)
        yield []
        yield from _change_lines(verdict)


def _head(verdict: Verdict) -> Styled:
    """The entry, its versions, and whether they say enough."""
    old, new = verdict.old or "no version", verdict.new or "no version"
    match verdict:
        case _ if verdict.place.side == "old":
            versions = f"{old}, gone"
        case _ if verdict.announced:
            versions = f"{new}, new"
        case _:
            versions = str(new) if verdict.old == verdict.new else f"{old} → {new}"
    head: Styled = [(verdict.name, "bold underline"), (f"  {versions}", "")]
    if verdict.covered:
        return head
    if verdict.place.side == "old":
        return [*head, ("  was not deprecated before", "bold red")]
    wanted = "" if verdict.next is None else f", {verdict.next} would do"
    return [*head, (f"  needs a {verdict.needed.word} version{wanted}", "bold red")]


def _change_lines(verdict: Verdict) -> Iterator[Styled]:
    """Each change as a finding is shown, with its level in the place of a severity."""
    from agentic_dsl.compiler.compatibility.findings import diagnostic_of

    for change in verdict.changes:
        diagnostic = replace(diagnostic_of(change, verdict), message=change.message)
        [place, _, message], *rest = findings.show([diagnostic], change.place.document.source)
        yield [place, (f"{change.level.value} {diagnostic.code}", _STYLES[change.level.value]), message]
        yield from rest


def _summary(comparison: Comparison) -> str:
    """``2 entries: 1 breaking, 0 additive, 3 patch``, and the version that they need."""
    from agentic_dsl.compiler.compatibility.levels import Level

    found = [change.level for change in comparison.changes]
    counts = ", ".join(f"{found.count(level):,} {level.value}" for level in Level)
    said = "the versions say so" if comparison.covered else f"{_short(comparison)} too little"
    entries = plural(len(comparison.verdicts), "entry", "entries")
    return f"{entries}: {counts}; needs {comparison.needed.word}, {said}" if found else "nothing changed"


def _short(comparison: Comparison) -> str:
    count = sum(not verdict.covered for verdict in comparison.verdicts)
    return "1 version says" if count == 1 else f"{count:,} versions say"


# --- formats for programs --------------------------------------------------------------------------------------------


def _text(comparison: Comparison, format: DiffFormat, name_of: NameOf) -> str:
    """The comparison in one format; each is imported where it is asked for."""
    from agentic_dsl.compiler.compatibility import records
    from agentic_dsl.compiler.compatibility.findings import file_reports

    match format:
        case DiffFormat.TEXT:
            return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in _lines(comparison))
        case DiffFormat.JSON:
            return json.dumps(records.json_record(comparison, name_of), indent=2) + "\n"
        case DiffFormat.MARKDOWN:
            return records.markdown(comparison, name_of)
        case DiffFormat.SARIF:
            from agentic_dsl.compiler.compatibility.sarif import sarif

            return sarif(comparison, name_of, version=_toolkit_version())
        case DiffFormat.CONCISE:
            from agentic_dsl.compiler.lint.formats.concise import concise

            return concise(file_reports(comparison, name_of))
        case DiffFormat.GITHUB:
            from agentic_dsl.compiler.lint.formats.github import github

            return github(file_reports(comparison, name_of))
        case DiffFormat.GITLAB:
            from agentic_dsl.compiler.lint.formats.gitlab import gitlab

            return gitlab(file_reports(comparison, name_of))


def _toolkit_version() -> str | None:
    try:
        return version("agentic-dsl")
    except PackageNotFoundError:  # an in-tree run without an install
        return None
