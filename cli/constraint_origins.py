"""Where a constraint was given: the option, the line of the spec or of a file, or the setting."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentic_dsl.cli.inputs import STDIN, read_document, read_text
from agentic_dsl.cli.options import SETTING_OF_FIELD, ConstraintOptions
from agentic_dsl.cli.settings import DEFAULT, Settings

if TYPE_CHECKING:
    from agentic_dsl.ast import Document, Resources
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.span import Span

_OPTIONS: dict[str, tuple[str, str]] = {
    "path": ("path", "--path"),
    "max_nodes": ("max_nodes", "--max-nodes"),
    "min_nodes": ("min_nodes", "--min-nodes"),
    "max_subgraph_depth": ("max_depth", "--max-depth"),
    "max_output_tokens": ("max_output_tokens", "--max-output-tokens"),
    "max_text_chars": ("max_text_chars", "--max-text-chars"),
    "allow_free_text": ("allow_free_text", "--allow-free-text"),
    "allowed_node_types": ("allow_type", "--allow-type"),
    "tools": ("tools", "--tools"),
    "libraries": ("lib", "--lib"),
    "context.available_vars": ("context", "--context"),
    "context.required_outputs": ("require_output", "--require-output"),
}
"""Field → the attribute of `ConstraintOptions` and the flag that set it."""

_EXCERPT = 100


@dataclass(frozen=True, slots=True)
class ConstraintOrigin:
    """Where the value of one field was given.

    Attributes:
        field: the field of `Constraints`.
        value: its value, as JSON has it; None where it is too long to show.
        source: ``option``, ``spec``, ``constraints file``, ``environment``, ``file`` or ``default``.
        where: the flag, file or variable.
        line: of a file, the line that says so; with its text.
    """

    field: str
    value: Any
    source: str
    where: str | None = None
    line: int | None = None
    text: str | None = None

    def record(self) -> dict[str, Any]:
        """The origin as JSON data."""
        shown = {"field": self.field, "value": self.value, "source": self.source, "where": self.where}
        return shown | {"line": self.line, "text": self.text}

    def __str__(self) -> str:
        value = "" if self.value is None else f" = {json.dumps(self.value, ensure_ascii=False)}"
        if self.line is not None:
            return f"{self.field}{value}, {self.where}:{self.line}: {self.text}"
        return f"{self.field}{value}, {self.source}{f' {self.where}' if self.where else ''}"


def origin_of(
    field: str, constraints: Constraints, options: ConstraintOptions, settings: Settings, subject: tuple[str, ...] = ()
) -> ConstraintOrigin:
    """Where a field was given, in the order in which sources win; see `ConstraintOptions.to_constraints`.

    Args:
        field: the field, such as ``max_nodes`` or ``context.required_outputs``.
        constraints: what all sources together mean.
        options: the command line.
        settings: environment and project file.
        subject: of the field ``tools``, the tool and the keys in its declaration that are meant.
    """
    value = _short(_value(field, constraints))
    attribute, flag = _OPTIONS.get(field, ("", ""))
    given = getattr(options, attribute, None) if attribute else None
    if given or (given is not None and given != []):
        where = f"{flag} {given}" if isinstance(given, str | int) and given is not True else flag
        return ConstraintOrigin(field, value, "option", where)
    if options.constraints is not None and (found := _in_file(field, value, options.constraints)) is not None:
        return found
    if (setting := SETTING_OF_FIELD.get(field)) is not None and settings.origin(setting) != DEFAULT:
        origin = settings.origin(setting)
        return ConstraintOrigin(field, value, origin.kind, origin.where)
    if options.spec is not None and options.spec != STDIN:
        document = read_document(options.spec)
        if (span := _in_spec(field, document, subject)) is not None:
            line = document.source.position(span.start).line
            text = document.source.line(line).strip()
            return ConstraintOrigin(field, value, "spec", options.spec, line, text)
    return ConstraintOrigin(field, value, "default")


def _value(field: str, constraints: Constraints) -> Any:
    value: Any = json.loads(constraints.canonical_json)
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if field == "tools" and value is not None:
        return [tool["name"] for tool in value]
    if field == "libraries" and value is not None:
        return [library["path"] for library in value]
    return value


def _short(value: Any) -> Any:
    return value if len(json.dumps(value)) <= _EXCERPT else None


def _in_file(field: str, value: Any, name: str) -> ConstraintOrigin | None:
    """The line of a constraints file that gives a field, None where it does not."""
    if name == STDIN:
        return None
    text = read_text(name, "the constraints file")
    if field.partition(".")[0] not in json.loads(text):
        return None
    key = field.rpartition(".")[2]
    found = re.search(rf'"{re.escape(key)}"\s*:', text)
    if found is None:
        return ConstraintOrigin(field, value, "constraints file", name)
    line = text.count("\n", 0, found.start()) + 1
    return ConstraintOrigin(field, value, "constraints file", name, line, text.splitlines()[line - 1].strip())


def _in_spec(field: str, document: Document, subject: tuple[str, ...]) -> Span | None:
    """What of a spec gives a field; see `Constraints.from_document`."""
    meta, resources = document.meta, document.resources
    match field:
        case "max_nodes" if meta is not None:
            return meta.spans.keys.get(("execution_budget", "max_nodes"))
        case "max_subgraph_depth":
            depths = [e.span for e in resources.entries if e.type == "generate_subgraph"] if resources else []
            budget = meta.spans.keys.get(("execution_budget", "max_subgraph_depth")) if meta else None
            return depths[0] if depths else budget
        case "tools" if resources is not None:
            return _tool(resources, subject)
        case _:
            return None


def _tool(resources: Resources, subject: tuple[str, ...]) -> Span | None:
    """The part of a tool's declaration that is meant, else the list of all."""
    for position, entry in enumerate(resources.entries):
        if subject and entry.type == "tool" and entry.name == subject[0]:
            path: tuple[str | int, ...] = ("resources", position, *subject[1:])
            while path not in resources.spans.keys and len(path) > 2:
                path = path[:-1]
            named = ("resources", position, "name")
            return resources.spans.keys.get(path) or resources.spans.keys.get(named) or entry.span
    return resources.spans.keys.get(("resources",))


__all__ = ["ConstraintOrigin", "origin_of"]
