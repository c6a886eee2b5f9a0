"""``agentic-dsl lsp``: the language server that editors start."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from agentic_dsl.cli.inputs import STDIN
from agentic_dsl.cli.options import ConstraintOptions, LibOption
from agentic_dsl.cli.output import Output
from agentic_dsl.cli.settings import Settings
from agentic_dsl.compiler.library_names import library_folders
from agentic_dsl.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from agentic_dsl.constraints import ToolSpec


_PACKAGES = ("pygls", "lsprotocol")
"""What the extra brings."""


def lsp(
    lib: LibOption = None,
    tools: Annotated[
        str | None,
        typer.Option("--tools", metavar="FILE.json", help="Tools to offer, beside those that documents declare."),
    ] = None,
    debounce: Annotated[
        int, typer.Option("--debounce", metavar="MS", min=0, max=10_000, help="Milliseconds of rest before a check.")
    ] = 150,
    _stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over standard input and output, which is the only way.")
    ] = False,
) -> None:
    """Run the language server.

    Editors start it: see docs/editors.md. Settings come from the project file of each document.

    Exit code 0: the editor has left in good order. 1: it went away.
    """
    try:
        from agentic_dsl.cli.language_server.server import ServerOptions, serve
    except ModuleNotFoundError as exc:
        if exc.name is not None and exc.name.partition(".")[0] in _PACKAGES:
            raise MissingExtraError.of("pygls", "lsp") from exc
        raise

    options = ServerOptions(library_folders(lib or ()), _tools(tools), debounce / 1000)
    for path in options.libraries:
        if not path.exists():
            raise UsageError(f"the library {path} does not exist", help="check the path given with --lib")
    if sys.stdin.isatty():
        sys.stderr.write("waiting for an editor on standard input; docs/editors.md says how editors start this\n")
    if code := serve(options):
        raise typer.Exit(code)


def _tools(name: str | None) -> tuple[ToolSpec, ...]:
    """The tools of a tools file.

    Raises:
        UsageError: it cannot be read, or holds no tools.
    """
    if name is None:
        return ()
    if name == STDIN:
        raise UsageError("the tools cannot come from standard input, where the editor speaks", help="name a file")
    return ConstraintOptions(tools=name).to_constraints(Settings({}), Output()).tools or ()
