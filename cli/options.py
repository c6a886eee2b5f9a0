"""Options that several commands share, and how the constraint options become `Constraints`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from agentic_dsl.cli import settings as names
from agentic_dsl.cli.inputs import STDIN, read_document, read_json, read_library
from agentic_dsl.cli.output import Output
from agentic_dsl.cli.settings import CheckMode, Format, Setting, Settings
from agentic_dsl.errors import UsageError

if TYPE_CHECKING:
    from agentic_dsl.ast import Document
    from agentic_dsl.constraints import Constraints


FormatOption = Annotated[Format | None, typer.Option("--format", help="How results are printed; text by default.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only: no notes, no progress.")]
LibOption = Annotated[
    list[Path] | None,
    typer.Option("--lib", metavar="DIR", help="Folder or file of library documents, or builtin; repeatable."),
]
OutOption = Annotated[
    str | None, typer.Option("--output", "-o", metavar="OUT", help="Write the result to a file instead of stdout.")
]

_PANEL = "Constraint options"


def _option(*flags: str, metavar: str, help: str) -> Any:
    return typer.Option(*flags, metavar=metavar, help=help, rich_help_panel=_PANEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintOptions:
    """The constraint options of one command line; None and empty = not given.

    The attributes are the options: `option_groups.takes` gives them to a command.
    """

    spec: Annotated[
        str | None, _option("--spec", metavar="FILE", help="Document whose budget, tools and depth are the limits.")
    ] = None
    constraints: Annotated[
        str | None, _option("--constraints", metavar="FILE.json", help="Constraints as JSON; see `schema constraints`.")
    ] = None
    path: Annotated[str | None, _option("--path", metavar="P", help="Path of the generated block.")] = None
    max_nodes: Annotated[
        int | None, _option("--max-nodes", metavar="N", help="Most nodes of the answer, start and end included.")
    ] = None
    min_nodes: Annotated[int | None, _option("--min-nodes", metavar="N", help="Fewest nodes of the answer.")] = None
    allow_type: Annotated[
        list[str] | None, _option("--allow-type", metavar="T", help="Node type that may be used; repeatable.")
    ] = None
    tools: Annotated[
        str | None, _option("--tools", metavar="FILE.json", help="Tools that may be called, with their schemas.")
    ] = None
    lib: Annotated[
        list[Path] | None,
        _option("--lib", metavar="DIR", help="Library whose entries may be called, or builtin; repeatable."),
    ] = None
    context: Annotated[
        list[str] | None, _option("--context", metavar="NAME[:TYPE]", help="Context variable there is; repeatable.")
    ] = None
    require_output: Annotated[
        list[str] | None,
        _option("--require-output", metavar="NAME", help="Context variable to be written; repeatable."),
    ] = None
    max_depth: Annotated[
        int | None, _option("--max-depth", metavar="N", help="How deep generation may nest; 0 forbids it.")
    ] = None
    max_output_tokens: Annotated[
        int | None, _option("--max-output-tokens", metavar="N", help="Most tokens of the answer.")
    ] = None
    max_text_chars: Annotated[
        int | None, _option("--max-text-chars", metavar="N", help="Longest free text, in characters.")
    ] = None

    allow_free_text: Annotated[
        bool | None,
        typer.Option("--allow-free-text", help="Let the model answer in plain text instead.", rich_help_panel=_PANEL),
    ] = None

    def to_constraints(self, settings: Settings, output: Output) -> Constraints:
        """The constraints that all sources together mean.

        What is more specific wins: flag > constraints file > environment > project file > spec > default.

        Raises:
            UsageError: a file cannot be used.
            ConstraintError: the result contradicts itself.
        """
        from agentic_dsl.constraints import Constraints

        self.leave_stdin_to()
        found = {field: settings.value(setting) for field, setting in SETTING_OF_FIELD.items()}
        given = {field: value for field, value in found.items() if value is not None}
        if self.constraints is not None:
            given |= _object(read_json(self.constraints, "the constraints file"), self.constraints)
        given |= self._flags()
        library = read_library(self.lib or settings.value(names.LIB))
        if library is not None:
            for finding in library.diagnostics:
                output.note(f"library: {finding.severity.value} {finding.code} {finding.message}")
        if self.spec is not None:
            return Constraints.from_document(_readable_spec(self.spec), library=library, **given)
        if library is not None:
            given.setdefault("libraries", library.specs())
        return Constraints(**given)

    def _flags(self) -> dict[str, Any]:
        """What the flags say, as fields of `Constraints`."""
        flags: dict[str, Any] = {
            "path": self.path,
            "max_nodes": self.max_nodes,
            "min_nodes": self.min_nodes,
            "max_subgraph_depth": self.max_depth,
            "max_output_tokens": self.max_output_tokens,
            "max_text_chars": self.max_text_chars,
            "allow_free_text": self.allow_free_text,
            "allowed_node_types": self.allow_type or None,
            "context": self._context(),
            "tools": None if self.tools is None else _tools(self.tools),
        }
        return {name: value for name, value in flags.items() if value is not None}

    def _context(self) -> dict[str, Any] | None:
        if not self.context and not self.require_output:
            return None
        variables: dict[str, str] = {}
        for item in self.context or ():
            name, _, type_name = item.partition(":")
            if name in variables:
                raise UsageError(f'--context names "{name}" twice', help="name each variable once")
            variables[name] = type_name or "any"
        return {"available_vars": variables, "required_outputs": tuple(self.require_output or ())}

    def leave_stdin_to(self, *readers: str) -> None:
        """Checks that at most one of these readers and of the options reads standard input.

        Raises:
            UsageError: there are two.
        """
        named = [*readers, *(f"--{flag}" for flag in ("spec", "constraints", "tools") if getattr(self, flag) == STDIN)]
        if len(named) > 1:
            raise UsageError(
                f"{' and '.join(named)} both read standard input", help="give all but one of them as a file"
            )


SETTING_OF_FIELD: dict[str, Setting[Any]] = {
    "path": names.PATH,
    "max_nodes": names.MAX_NODES,
    "min_nodes": names.MIN_NODES,
    "max_subgraph_depth": names.MAX_DEPTH,
    "max_output_tokens": names.MAX_OUTPUT_TOKENS,
    "max_text_chars": names.MAX_TEXT_CHARS,
}
"""Fields of `Constraints` that can be set without a flag."""


def _readable_spec(name: str) -> Document:
    document = read_document(name)
    if document.has_errors:
        first = next(d for d in document.diagnostics if d.is_error)
        line = document.source.position(first.span.start).line
        raise UsageError(
            f"the spec {name} cannot be read: line {line}: {first.code} {first.message}",
            help=f"run `agentic-dsl validate {name}` to see all findings",
        )
    return document


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"the constraints file {name} holds no JSON object", help="see `agentic-dsl schema`")
    return value


def _tools(name: str) -> list[Any]:
    tools = read_json(name, "the tools file")
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UsageError(
            f"the tools file {name} holds no JSON array of objects",
            help='write [{"name": …, "description": …, "parameters": {…}, "returns": {…}}]',
        )
    return tools


def output_of(settings: Settings, format: Format | None, quiet: bool) -> Output:
    """The streams of a command, as its flags and the settings say."""
    chosen = settings.value(names.FORMAT, format)
    return Output(json=chosen is Format.JSON, quiet=settings.value(names.QUIET, True if quiet else None))


def check_mode(settings: Settings, mode: CheckMode | None) -> Literal["strict", "lenient"]:
    """The mode of checks in force."""
    return "lenient" if settings.value(names.MODE, mode) is CheckMode.LENIENT else "strict"
