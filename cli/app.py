"""The command line: one app of one file a command, and the one place where errors stop."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

import agentic_dsl
from agentic_dsl.cli import (
    cache,
    compile,
    config,
    diff,
    explain,
    fmt,
    generate,
    graph,
    lint,
    lsp,
    models,
    rule,
    schema,
    serve,
    skills,
    skills_detect,  # noqa: F401  # adds its command to `skills`, like the next two
    skills_prefill,  # noqa: F401
    skills_stats,  # noqa: F401
    traces_summary,
    validate,
)
from agentic_dsl.cli.output import FAILURE, FINE, INTERRUPTED, stdout_takes_it, wants_colour
from agentic_dsl.cli.settings import CACHE_DIR, MODELS_DIR, PREFIX, Settings
from agentic_dsl.errors import AgenticDSLError, UsageError

PROGRAM = "agentic-dsl"

_DEBUG = PREFIX + "DEBUG"


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{PROGRAM} {_version()}\n")
        raise typer.Exit


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:  # an in-tree run without an install
        project = Path(agentic_dsl.__file__).resolve().parents[1] / "pyproject.toml"
        number: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
        return number


def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Agent programs that are valid by construction: AgenticDSL checked, compiled, generated."""


def build_app(*, plain: bool) -> typer.Typer:
    """The app with all its commands.

    Args:
        plain: whether help is text alone, else it is coloured and boxed.
    """
    app = typer.Typer(
        name=PROGRAM,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None if plain else "rich",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    app.command("validate")(validate.validate)
    app.command("fmt")(fmt.fmt)
    app.command("lint")(lint.lint)
    app.command("diff")(diff.diff)
    app.command("lsp")(lsp.lsp)
    app.command("rule")(rule.rule)
    app.command("compile")(compile.compile)
    app.command("generate")(generate.generate)
    app.command("explain")(explain.explain)
    app.command("traces")(traces_summary.traces)
    app.command("serve")(serve.serve)
    app.command("graph")(graph.graph)
    app.command("schema")(schema.schema)
    app.add_typer(cache.app, name="cache")
    app.add_typer(models.app, name="models")
    app.add_typer(skills.skills_app, name="skills")
    app.add_typer(config.app, name="config")
    return app


def main() -> None:
    """The entry point of ``agentic-dsl``."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a character must never end a run
    try:
        code = run(sys.argv[1:])
        try:
            with stdout_takes_it():  # what the help pages left in the buffer
                sys.stdout.flush()
        except UsageError as exc:
            code = _fail([], exc)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILURE
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. No exception but a broken pipe leaves it."""
    try:
        _use_configured_folders()
        code = build_app(plain=not wants_colour(sys.stdout))(
            args=list(arguments), prog_name=PROGRAM, standalone_mode=False
        )
        if code == INTERRUPTED:  # typer's answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else FINE
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except TyperException as exc:
        return _fail(arguments, UsageError(exc.format_message(), help=f"run `{PROGRAM} --help`"))
    except AgenticDSLError as exc:
        return _fail(arguments, exc)
    except Exception as exc:
        if os.environ.get(_DEBUG):
            raise
        bug = AgenticDSLError(
            f"this is a bug in {PROGRAM}: {type(exc).__name__}: {exc}",
            help=f"run again with {_DEBUG}=1 to see where, and report it",
        )
        bug.code = "bug"
        return _fail(arguments, bug)


def _use_configured_folders() -> None:
    """Makes the folders of a project file known to the library and to child processes, which read the environment."""
    settings = Settings.load()
    for setting in (CACHE_DIR, MODELS_DIR):
        if (folder := settings.value(setting)) is not None:
            os.environ[setting.variable] = str(folder)


def _fail(arguments: Sequence[str], error: AgenticDSLError) -> int:
    """Prints a failure the way the command line asked for results."""
    if _asks_for_json(arguments):
        record = {"error": {"code": error.code, "message": error.message, "help": error.help}}
        text = json.dumps(record, indent=2) + "\n"
        try:
            with stdout_takes_it():
                sys.stdout.write(text)
        except UsageError:
            sys.stderr.write(text)
    else:
        sys.stderr.write(f"error: {error.message}\n")
        if error.help:
            sys.stderr.write(f"help: {error.help}\n")
    return FAILURE


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether the result would have been JSON. Looks at the words, because they may be what could not be read."""
    words = list(arguments)
    if "--format" in words[:-1]:
        return words[words.index("--format") + 1] == "json"
    if any(word.startswith("--format=") for word in words):
        return "--format=json" in words
    return os.environ.get(PREFIX + "FORMAT") == "json"
