"""NESTFUL's tool catalogues, normalised to `ToolSpec`s.

What is normalised (docs/benchmarks.md quotes this list):

1. parameters stand under ``query_parameters``, ``path_parameters`` or ``parameters``: all are read, in that order
2. type names lose their case; ``Enum`` and ``Date (…)`` are strings, ``float`` is a number, ``file`` is anything
3. enums stand under ``enum``, ``allowed_values`` or ``possible_values``; an ``allowed_values`` such as
   ``"1-100"`` is a range
4. ``required: true`` makes a parameter required; in a tool that marks parameters ``optional: true`` instead,
   the unmarked ones are required; where a tool marks neither, all are optional
5. entries of the same name and content are one tool
6. ``output_parameters`` become the properties of ``returns``; a property given as a bare text has that type or
   description
"""

from __future__ import annotations

import re
from typing import Any

from agentic_dsl.constraints import ToolSpec

_TYPES = {
    "string": "string",
    "enum": "string",
    "number": "number",
    "float": "number",
    "integer": "integer",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}

_PLACES = ("query_parameters", "path_parameters", "parameters")
_ENUMS = ("enum", "allowed_values", "possible_values")


def normalise_catalogue(entries: list[dict[str, Any]]) -> tuple[ToolSpec, ...]:
    """The tools of one catalogue file.

    Raises:
        ValueError: two entries share a name and differ, which the published files never do.
    """
    tools: dict[str, ToolSpec] = {}
    for entry in entries:
        tool = _tool(entry)
        if tools.setdefault(tool.name, tool) != tool:
            raise ValueError(f"two different tools are called {tool.name}")
    return tuple(tools.values())


def _tool(entry: dict[str, Any]) -> ToolSpec:
    parameters = {name: facts for place in _PLACES for name, facts in entry.get(place, {}).items()}
    marks_optional = any("optional" in facts for facts in parameters.values())
    required = [
        name
        for name, facts in parameters.items()
        if facts.get("required", marks_optional and not facts.get("optional", False))
    ]
    return ToolSpec(
        name=entry["name"],
        description=entry["description"],
        parameters={
            "type": "object",
            "properties": {name: _schema(facts) for name, facts in parameters.items()},
            "required": required,
        },
        returns={
            "type": "object",
            "properties": {name: _schema(facts) for name, facts in entry["output_parameters"].items()},
        },
    )


def _schema(facts: dict[str, Any] | str) -> dict[str, Any]:
    if isinstance(facts, str):
        return {"type": known} if (known := _type(facts)) else {"description": facts}
    schema: dict[str, Any] = {}
    if (known := _type(facts.get("type", ""))) is not None:
        schema["type"] = known
    for key in _ENUMS:
        values = facts.get(key)
        if isinstance(values, list):
            schema["enum"] = values
        elif isinstance(values, str) and (bounds := re.fullmatch(r"(\d+)-(\d+)", values)):
            schema["minimum"], schema["maximum"] = int(bounds[1]), int(bounds[2])
    if "properties" in facts:
        schema["properties"] = {name: _schema(inner) for name, inner in facts["properties"].items()}
    if "items" in facts:
        schema["items"] = _schema(facts["items"])
    if facts.get("description"):
        schema["description"] = facts["description"]
    return schema


def _type(name: str) -> str | None:
    word = name.lower().split("(")[0].strip()
    return "string" if word == "date" else _TYPES.get(word)
