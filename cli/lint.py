"""``agentic-dsl lint``: what could be better about documents, beside what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from agentic_dsl.cli.options import LibOption, QuietOption, check_mode
from agentic_dsl.cli.output import Output
from agentic_dsl.cli.settings import FORMAT, LIB, QUIET, CheckMode, Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.cli.lint_run import LintOptions


class LintFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"


def lint(
    paths: Annotated[list[str], typer.Argument(metavar="PATHS", help="Documents, folders of them, or - for stdin.")],
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="CODES", help="Codes, names or beginnings of codes to look for; repeatable."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="CODES", help="Codes, names or beginnings of codes to leave out; repeatable."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without a change of meaning.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: mend what needs a second look too.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what --fix would change.")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Print how often each rule was broken.")] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 also where there are findings.")] = False,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="FILE", help="Leave out the findings that this file accepts.")
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write all findings to the file of --baseline.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Look at every file, changed or not.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Lint again whenever a file changes, until Ctrl-C.")] = False,
    lib: LibOption = None,
    mode: Annotated[
        CheckMode | None, typer.Option("--mode", help="How doubtful documents are judged; strict by default.")
    ] = None,
    format: Annotated[LintFormat | None, typer.Option("--format", help="How findings are printed.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Print everything that is wrong with documents, or could be better.

    The files of all PATHS and --lib can call each other. `agentic-dsl rule CODE` explains a finding.

    Exit code 0: no errors and no warnings. 1: some. 2: a file cannot be read or written.
    """
    from agentic_dsl.cli.lint_run import (  # with all that lint needs; other commands need none of it
        LintOptions,
        run_lint,
    )

    settings = Settings.load()
    chosen = format or LintFormat(settings.value(FORMAT).value)
    output = Output(json=chosen is LintFormat.JSON, quiet=settings.value(QUIET, True if quiet else None))
    if unsafe_fixes and not (fix or diff):
        raise UsageError("--unsafe-fixes alone changes nothing", help="add --fix or --diff")
    if update_baseline and (baseline is None or fix or diff):
        raise UsageError(
            "--update-baseline has no file to write", help="add --baseline FILE, and leave out --fix and --diff"
        )

    def options(settings: Settings) -> LintOptions:
        return LintOptions(
            paths=tuple(paths),
            libraries=tuple(lib or settings.value(LIB)),
            select=tuple(select or ()),
            ignore=tuple(ignore or ()),
            mode=check_mode(settings, mode),
            format=chosen,
            fix=fix,
            unsafe=unsafe_fixes,
            diff=diff,
            statistics=statistics,
            baseline=baseline,
            update_baseline=update_baseline,
            cached=not no_cache,
        )

    if watch:
        if fix or diff or update_baseline or chosen not in (LintFormat.TEXT, LintFormat.CONCISE):
            raise UsageError("--watch is for people who read findings", help="leave out fixes, baselines and --format")
        _watch(lambda: run_lint(options(now := Settings.load()), now, output), options(settings), output)
    code = run_lint(options(settings), settings, output)
    if code and not exit_zero:
        raise typer.Exit(code)


def _watch(lint: Callable[[], int], options: LintOptions, output: Output) -> NoReturn:
    """Lints until an interrupt; a project file that changes meanwhile is read again."""
    from agentic_dsl.cli.lint_watch import Watched, watch
    from agentic_dsl.compiler.library_names import library_folders

    watch(Watched.of((*options.paths, *library_folders(options.libraries))), lint, output)
